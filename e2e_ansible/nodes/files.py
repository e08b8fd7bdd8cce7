"""Small text files on one node: what is sent to look at them, and to write those that are not as they should be."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from e2e_ansible.errors import InfrastructureError
from e2e_ansible.nodes.plain import NO_TERMINAL

__all__ = ["ARGUMENTS", "put_files"]

_FILE: Mapping[str, Mapping[str, object]] = {
    "dest": {"type": "str", "required": True},
    "content": {"type": "str", "required": True},
    "block": {"type": "str", "default": ""},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "mode": {"type": "str", "default": "0644"},
}
ARGUMENTS: Mapping[str, Mapping[str, object]] = {
    "files": {"type": "list", "elements": "dict", "options": _FILE, "required": True}
}
_WORDS = 300
#: A line for each file: owner, group, mode and its text in base64; `-` where none is.
_LOOK = """\
for file; do
    if [ -f "$file" ]; then
        echo "$(stat -Lc '%U %G %a' "$file") $(base64 -w 0 "$file")."
    else
        echo -
    fi
done
"""
#: For each four words DEST OWNER GROUP MODE one line of base64 is read. A file is whole or as it was.
_WRITE = """\
set -e
umask 077
trap 'rm -f "$draft"' EXIT
while [ $# -gt 0 ]; do
    read -r text
    draft=$(mktemp "$1.XXXXXX")
    printf %s "${text%.}" | base64 -d >"$draft"
    chown "$2:$3" "$draft"
    chmod "$4" "$draft"
    mv -fT "$draft" "$1"
    shift 4
done
"""


@dataclass(frozen=True)
class _State:
    """A file as it is, or as it is wanted."""

    text: str
    owner: str
    group: str
    mode: int


Execute = Callable[..., Mapping[str, Any]]


def put_files(
    execute: Execute, files: Sequence[Mapping[str, Any]], *, only_look: bool, difference: bool
) -> dict[str, Any]:
    """The result of the action; `execute` is `_low_level_execute_command` of an action.

    Raises:
        InfrastructureError: a file could not be read or written; what was not written is as it was.
    """
    found = _look(execute, [file["dest"] for file in files])
    pairs = [(file, was, _wanted(file, was)) for file, was in zip(files, found, strict=True)]
    changes = [(file["dest"], was, wanted) for file, was, wanted in pairs if was != wanted]
    if changes and not only_look:
        _write(execute, [(name, wanted) for name, _was, wanted in changes])
    told = {"diff": [_difference(*change) for change in changes]} if difference else {}
    return {"changed": bool(changes), **told}


def _look(execute: Execute, names: Sequence[str]) -> list[_State | None]:
    lines = [line.strip() for line in _shell(execute, _LOOK, names).splitlines()]
    found = [line for line in lines if line == "-" or line.endswith(".")]
    if len(found) != len(names):
        raise InfrastructureError(f"could not look at {', '.join(names)}: {' '.join(lines)[-_WORDS:]}")
    return [None if line == "-" else _read(line) for line in found]


def _write(execute: Execute, changes: Sequence[tuple[str, _State]]) -> None:
    texts = [base64.b64encode(state.text.encode(errors="surrogateescape")) for _name, state in changes]
    words = [
        word for name, state in changes for word in (name, state.owner, state.group, f"{state.mode:04o}")
    ]
    _shell(execute, _WRITE, words, b"".join(text + b".\n" for text in texts))


def _shell(execute: Execute, script: str, words: Sequence[str], sent: bytes = NO_TERMINAL) -> str:
    done = execute(shlex.join(["/bin/sh", "-c", script, "plain_files", *words]), in_data=sent)
    if done["rc"]:
        said = str(done.get("stderr") or done.get("stdout") or "").strip().splitlines()
        raise InfrastructureError(f"files could not be written: {' '.join(said[-2:]) or done['rc']}")
    return str(done["stdout"])


def _read(line: str) -> _State:
    owner, group, mode, text = line.removesuffix(".").split(" ", 3)
    return _State(base64.b64decode(text).decode(errors="surrogateescape"), owner, group, int(mode, 8))


def _wanted(file: Mapping[str, Any], was: _State | None) -> _State:
    text = file["content"]
    if file["block"]:
        text = _with_block(was.text if was else "", text, file["block"])
    return _State(text, file["owner"], file["group"], int(file["mode"], 8))


def _with_block(text: str, content: str, name: str) -> str:
    """The text with a block between two marks, where it is already or else at the beginning."""
    begin, end = f"# BEGIN {name}", f"# END {name}"
    lines = text.splitlines(keepends=True)
    marks = [line.rstrip("\r\n") for line in lines]
    first = last = 0
    if begin in marks and end in marks[marks.index(begin) :]:
        first = marks.index(begin)
        last = marks.index(end, first) + 1
    block = [f"{begin}\n", *(f"{line}\n" for line in content.splitlines()), f"{end}\n"]
    return "".join([*lines[:first], *block, *lines[last:]])


def _difference(name: str, was: _State | None, wanted: _State) -> dict[str, str]:
    """As modules tell it: texts, and above them what else differs."""
    facts = was is not None and (was.owner, was.group, was.mode) != (wanted.owner, wanted.group, wanted.mode)

    def told(state: _State | None) -> str:
        if state is None:
            return ""
        return (f"{state.owner}:{state.group} {state.mode:04o}\n" if facts else "") + state.text

    return {"before_header": name, "after_header": name, "before": told(was), "after": told(wanted)}
