"""What is sent to the shell of a node to run a load tool there, and how what comes back is read.

Everything travels by standard input, so that no process list has it. While the tool runs a byte is sent each second:
when nobody takes it any more, the tool is ended and its folder removed. A `sh`, GNU coreutils and `mktemp` are needed.
"""

from __future__ import annotations

import base64
import binascii
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from e2e_ansible.load.address import PASSFILE

__all__ = ["COMMAND", "FOLDER", "LARGEST_BYTES", "PLAIN_NAME", "Came", "came", "script"]

COMMAND = "/bin/sh -s"
FOLDER = "@FOLDER@"
"""In arguments, environment and files: the working folder, whose name only the node knows."""

LARGEST_BYTES = 32 * 1024 * 1024
"""Of a larger file only its two ends come back, half of it each."""

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
"""Names of files in the working folder."""

_KILL_SECONDS = 5
_AFTER_SECONDS = 120
_MARK = "@e2e-load"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: One function, so that a script that was cut on its way does nothing.
_SCRIPT = r"""
load() {
umask 077
folder=$(mktemp -d "${TMPDIR:-/tmp}/e2e-load.XXXXXX") || exit 125
trap 'rm -rf "$folder"' EXIT
pid=
trap '[ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null' HUP INT TERM
trap 'gone=1' PIPE
cd "$folder" || exit 125
mkdir .out || exit 125
@FILES@
(
@VARIABLES@
exec timeout -k @KILL@ @SECONDS@ @ARGV@
) </dev/null >.out/stdout 2>.out/stderr &
pid=$!
begun=$(date +%s.%N)
read -r up rest </proc/uptime
(
trap '' PIPE HUP INT TERM
while printf .; do sleep 1 >/dev/null 2>&1; done 2>/dev/null
kill -TERM "$pid"; sleep @KILL@; kill -KILL "-$pid"
) </dev/null 2>/dev/null &
beat=$!
while :; do
wait "$pid"; code=$?
kill -0 "$pid" 2>/dev/null || break
done
read -r down rest </proc/uptime
kill -KILL "$beat" 2>/dev/null
wait "$beat" 2>/dev/null
kill -KILL "-$pid" 2>/dev/null
@AFTER@
printf '\n@MARK@ exit %s %s %s %s %s\n' "$code" "$begun" "$up" "$down" "$folder"
give() {
[ -f "$2" ] || return 0
size=$(wc -c <"$2")
printf '@MARK@ file %s %s\n' "$1" "$size"
if [ "$size" -gt @MOST@ ]; then
head -c @HALF@ "$2" | base64 -w 0; printf '\n'
tail -c @HALF@ "$2" | base64 -w 0; printf '\n'
else
base64 -w 0 "$2"; printf '\n'
fi
}
give stdout .out/stdout
give stderr .out/stderr
@KEEP@
printf '@MARK@ end\n'
}
load
"""


@dataclass
class Came:
    """What came back. `exit_code` is None when the tool was not seen to end.

    `begun` is by the node's clock, `ended` so much later as it took: a clock may be set meanwhile.
    """

    exit_code: int | None = None
    begun: float = 0.0
    ended: float = 0.0
    folder: str = ""
    whole: bool = False
    files: dict[str, bytes] = field(default_factory=dict)


def script(
    argv: Sequence[str],
    seconds: int,
    *,
    env: Mapping[str, str],
    files: Mapping[str, str],
    keep: Sequence[str] = (),
    after: Sequence[str] = (),
    passfile: str = "",
) -> bytes:
    """The text for `/bin/sh -s`. `passfile` becomes the file `.pgpass`.

    Raises:
        ValueError: no argument, or a name of a file or variable with other characters than plain ones.
    """
    if not argv:
        raise ValueError("argv: it names no program")
    for name in (*files, *keep):
        if not PLAIN_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no plain name of a file in the working folder")
    for name in env:
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"env: {name!r} is no name of a variable")
    laid = {**files, **({PASSFILE: passfile} if passfile else {})}
    parts = {
        "FILES": "\n".join(_file(name, text) for name, text in laid.items()) or ":",
        "VARIABLES": "\n".join(f"export {name}={_word(text)}" for name, text in env.items()) or ":",
        "ARGV": " ".join(map(_word, argv)),
        "AFTER": _after(after, env) if after else ":",
        "KEEP": "\n".join(f"give {shlex.quote(f'kept/{name}')} {shlex.quote(name)}" for name in keep) or ":",
        "SECONDS": str(seconds),
        "KILL": str(_KILL_SECONDS),
        "MARK": _MARK,
        "MOST": str(LARGEST_BYTES),
        "HALF": str(LARGEST_BYTES // 2),
    }
    # All at once: what is put in may hold anything.
    text = re.sub("@([A-Z]+)@", lambda found: parts.get(found[1], found[0]), _SCRIPT)
    return text.encode(errors="surrogateescape")


def came(stdout: str) -> Came:
    """What the node printed; heartbeats and banners before it do no harm."""
    found = Came()
    lines = iter(stdout.splitlines())
    for line in lines:
        if not line.startswith(f"{_MARK} "):
            continue
        kind, *words = line.split(" ", 6)[1:]
        if kind == "exit" and len(words) == 5:
            found.exit_code, found.folder = int(words[0]), words[4]
            found.begun, up, down = map(float, words[1:4])
            found.ended = found.begun + (down - up)
        elif kind == "file" and len(words) == 2:
            data = _decoded(next(lines, ""))
            if int(words[1]) > LARGEST_BYTES:
                data += _cut(int(words[1]) - LARGEST_BYTES) + _decoded(next(lines, ""))
            found.files[words[0]] = data
        elif kind == "end":
            found.whole = True
    return found


def _cut(left_out: int) -> bytes:
    return f"\n[... {left_out} bytes are left out here ...]\n".encode()


def _decoded(line: str) -> bytes:
    try:
        return base64.b64decode(line)
    except binascii.Error:
        return b"[what came over the connection was broken]\n"


def _word(text: str) -> str:
    """One word of the shell; the folder is put in by the node."""
    return '"$folder"'.join(shlex.quote(part) for part in text.split(FOLDER))


def _file(name: str, text: str) -> str:
    data = base64.b64encode(text.encode(errors="surrogateescape")).decode()
    made = f"printf %s {data} | base64 -d"
    if FOLDER in text:
        made += f' | sed "s|{FOLDER}|$folder|g"'
    return f"{made} >{shlex.quote(name)} || exit 125"


def _after(words: Sequence[str], env: Mapping[str, str]) -> str:
    run = " ".join(map(_word, words))
    variables = "\n".join(f"export {name}={_word(text)}" for name, text in env.items())
    return f"(\n{variables}\nexec timeout -k 5 {_AFTER_SECONDS} {run}\n) </dev/null >/dev/null 2>>.out/stderr"
