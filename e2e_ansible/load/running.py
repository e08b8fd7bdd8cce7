"""One run of a load tool over the connection of an Ansible action: what is sent, and what comes back."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from e2e_ansible.errors import UsageError
from e2e_ansible.load.address import PASSFILE, Address, address
from e2e_ansible.load.base import LoadOutput
from e2e_ansible.load.script import COMMAND, FOLDER, PLAIN_NAME, Came, came, script

__all__ = [
    "ARGUMENTS",
    "ARTIFACTS",
    "RESULT",
    "RESULT_LIMIT",
    "TEXT_LIMIT",
    "bounded",
    "keep_texts",
    "run_load",
]

ARGUMENTS: Mapping[str, Mapping[str, object]] = {
    "tool": {"type": "str", "required": True},
    "argv": {"type": "list", "elements": "str", "required": True},
    "timeout_seconds": {"type": "int", "required": True},
    "env": {"type": "dict", "default": {}},
    "files": {"type": "dict", "default": {}},
    "copies": {"type": "dict", "default": {}},
    "copies_from": {"type": "str", "default": "."},
    "programs": {"type": "dict", "default": {}},
    "workload": {"type": "str", "default": ""},
    "database": {"type": "dict", "default": {}},
    "keep": {"type": "list", "elements": "str", "default": []},
    "after": {"type": "list", "elements": "str", "default": []},
    "measure": {"type": "bool", "default": True},
    "artifacts": {"type": "str", "default": ""},
}
RESULT = "e2e_load"
ARTIFACTS = "E2E_STEP_FOLDER"
"""Variable with the folder of the step on the controller, in which what a tool has printed is kept whole."""

TEXT_LIMIT = 128 * 1024
"""Characters of each text in an event; of a longer one the two ends are kept."""

RESULT_LIMIT = 600_000
"""Characters of an event's JSON for all texts together; AWX drops a result of more than 700,000."""

_SHORTEST = 4096
_TICK_SECONDS = 0.02  # of the clock by which the length of a run is known
_HIDDEN = "********"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
#: In a URL or at the end of a line of a password file; in quotes; after its name.
_PLACES = r"""(?mi)(?<=:)SECRET(?=@|\\n|\s*$)|(?<=["'])SECRET(?=["'])|(?<=password=)SECRET(?!\d)"""
_SHOWN = 2000


def run_load(
    execute: Callable[..., Mapping[str, Any]],
    args: Mapping[str, Any],
    hostvars: Mapping[str, Any],
    host: str,
) -> dict[str, Any]:
    """The result of the task; `execute` is `_low_level_execute_command` of an action.

    Raises:
        UsageError: the database cannot be told, or a file on the controller cannot be read.
        ValueError: a name that is not allowed.
    """
    where = address(args["database"], hostvars) if args["database"] else None
    text = _script(args, where)
    done = execute(COMMAND, in_data=text)
    found = came(str(done["stdout"]))
    secret = where.password if where else ""
    output = _output(args, where, found, host, said=_hide(str(done["stderr"]), secret), secret=secret)
    kept = _keep(args, output)
    return _result(args, found, output, kept)


def _script(args: Mapping[str, Any], where: Address | None) -> bytes:
    env = {str(name): str(value) for name, value in args["env"].items()}
    files = {str(name): str(value) for name, value in args["files"].items()}
    argv, after = [str(word) for word in args["argv"]], [str(word) for word in args["after"]]
    files.update({name: _read(Path(args["copies_from"], str(path))) for name, path in args["copies"].items()})
    files.update({name: _program(str(module)) for name, module in args["programs"].items()})
    if where:
        words = where.words
        argv, after = [_put(word, words) for word in argv], [_put(word, words) for word in after]
        env = {name: _put(text, words) for name, text in env.items()}
        files = {name: _put(text, {**words, "@PASSWORD@": where.password}) for name, text in files.items()}
        passfile = f"{FOLDER}/{PASSFILE}"
        env = {**where.variables, **({"PGPASSFILE": passfile} if where.password else {}), **env}
    return script(
        argv,
        int(args["timeout_seconds"]),
        env=env,
        files=files,
        keep=args["keep"],
        after=after,
        passfile=where.passfile if where else "",
    )


def _put(text: str, words: Mapping[str, str]) -> str:
    """All at once: what is put in may hold anything."""
    return re.sub("@[A-Z]+@", lambda found: words.get(found[0], found[0]), text)


def _program(name: str) -> str:
    """The source of a module beside this one or of the package itself, which needs the standard library alone."""
    if not name.isidentifier():
        raise ValueError(f"programs: {name!r} is no module of e2e_ansible.load")
    here = Path(__file__).with_name(f"{name}.py")
    return _read(here if here.exists() else here.parent.with_name(here.name))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UsageError(f"the file {path} cannot be read: {error.strerror}") from error


def _output(
    args: Mapping[str, Any], where: Address | None, found: Came, host: str, *, said: str, secret: str
) -> LoadOutput:
    texts = {
        name: _hide(data.decode(errors="replace"), secret).replace("\0", "\N{REPLACEMENT CHARACTER}")
        for name, data in found.files.items()
    }
    stderr = texts.pop("stderr", "") + ("" if found.whole else said)
    words = where.words if where else {}
    return LoadOutput(
        tool=args["tool"],
        argv=tuple(_hide(_put(str(word), words), secret) for word in args["argv"]),
        workload=args["workload"],
        host=host,
        exit_code=found.exit_code,
        stdout=texts.pop("stdout", ""),
        stderr=stderr,
        started=found.begun,
        ended=found.ended,
        files={name.partition("/")[2]: text for name, text in texts.items()},
    )


def _hide(text: str, secret: str) -> str:
    """Without the password, also as it stands in a URL, in a password file or in JSON.

    One of digits alone is hidden where a password stands, not in what was counted: it would change the numbers.
    """
    if secret.isdecimal():
        return re.sub(_PLACES.replace("SECRET", secret), _HIDDEN, text)
    escaped = secret.replace("\\", "\\\\").replace(":", "\\:")
    forms = {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        quote(secret),
        escaped,
        json.dumps(secret)[1:-1],
    }
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, _HIDDEN) if form else text
    return text


def bounded(text: str, limit: int = TEXT_LIMIT) -> str:
    """The text, or its two ends with a mark between them; whole lines where there are some."""
    if len(text) <= limit:
        return text
    half = limit // 2
    head, tail = text[:half], text[-half:]
    head = head[: head.rfind("\n") + 1] or head
    tail = tail[tail.find("\n") + 1 :] if "\n" in tail[:-1] else tail
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[... {left_out} characters are left out here ...]\n{tail}"


def _keep(args: Mapping[str, Any], output: LoadOutput) -> str:
    """The outputs whole, in the folder of the step, which only its owner can read; where they are, '' if nowhere."""
    base = os.environ.get(ARTIFACTS, "")
    if not base:
        return ""
    return keep_texts(Path(base), args["artifacts"] or args["tool"], output)


def keep_texts(base: Path, name: str, output: LoadOutput) -> str:
    """Write what a tool printed into a folder of `base` that is called after `name`; what that is called.

    Raises:
        OSError: it cannot be written.
    """
    folder = base / f"load-{_NOT_IN_A_NAME.sub('-', name)}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    texts: dict[str, str] = {"stdout.txt": output.stdout, "stderr.txt": output.stderr, **output.files}
    for file, text in texts.items():
        if PLAIN_NAME.fullmatch(file):  # from a job of AWX it comes over the network
            _write(folder / file, text)
    return folder.name


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def _result(args: Mapping[str, Any], found: Came, output: LoadOutput, kept: str) -> dict[str, Any]:
    if not found.whole:
        text = (
            "the connection ended before the tool did"
            if found.exit_code is None
            else "its output was cut off"
        )
        said = " ".join(output.stderr.split())[-_SHOWN:]
        return {
            "failed": True,
            "changed": True,
            "msg": f"{args['tool']}: {text}" + (f": {said}" if said else ""),
        }
    told: dict[str, Any] = {"changed": True, "cmd": list(output.argv), "kept": kept}
    if args["measure"]:
        return {**told, RESULT: _short(output)}
    told |= {"stdout": bounded(output.stdout, _SHOWN), "stderr": bounded(output.stderr, _SHOWN)}
    failed = {"failed": True, "msg": _complaint(args, found, output)} if found.exit_code else {}
    return {**told, "exit_code": found.exit_code, **failed}


def _short(output: LoadOutput) -> dict[str, Any]:
    """As JSON, with each text cut, and cut further while all of them together are too long."""
    limit = TEXT_LIMIT
    while True:
        texts = {name: bounded(text, limit) for name, text in output.files.items()}
        cut = {
            "stdout": bounded(output.stdout, limit),
            "stderr": bounded(output.stderr, limit),
            "files": texts,
        }
        made = output.model_copy(update=cut).model_dump(mode="json")
        if limit <= _SHORTEST or len(json.dumps(made)) <= RESULT_LIMIT:
            return made
        limit //= 2


def _complaint(args: Mapping[str, Any], found: Came, output: LoadOutput) -> str:
    timeout = args["timeout_seconds"]
    if found.exit_code in (124, 137) and found.ended - found.begun >= timeout - _TICK_SECONDS:
        return f"{args['tool']} was ended after {timeout} s"
    said: Sequence[str] = (output.stderr.strip() or output.stdout.strip())[-_SHOWN:].splitlines()
    return f"{args['tool']} ended with status {found.exit_code}: " + "\n".join(said)
