"""What a Stroppy program says of itself: its dialect, workloads, parameters, steps and driver options.

Sent to nodes too, so it needs nothing but Python. The catalogue is plain JSON:
`{"dialect", "version", "workloads": {name: {"params": [...], "steps": [...]}}, "driver_options", "drivers"}`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["GO", "K6", "CannotAsk", "ask", "dialect_of", "driver_options_of", "version_of"]

GO, K6 = "go", "k6"
_ASK_SECONDS = 60
_LONGEST = 1000
_NO_STEP = "e2e-none"
_WORKLOAD = "workload"
_SKIPPED = re.compile(r"Skipping step '([a-z0-9_]+)'")
_OPTION = re.compile(r"    (\S+)\s+(string|int|bool|duration|subfields)\s+(.*)")
_MORE = re.compile(r"\s{30,}(\S.*)")
_SHARED = ("_common", "_helpers", "_validate")
_DURATIONS = ("DURATION", "MAX_DURATION", "QUERY_TIMEOUT")


class CannotAsk(Exception):
    """The program does not say what it is. The message is for a person."""


def ask(binary: str) -> dict[str, Any]:
    """Run the program some times, each for a moment and without a database.

    Raises:
        CannotAsk: it cannot be run, or it is no Stroppy of a known kind.
    """
    with tempfile.TemporaryDirectory(prefix="e2e-stroppy-") as folder:
        asked = _Asked(binary, folder)
        dialect = dialect_of(asked.text("run", "--help"))
        if not dialect:
            raise CannotAsk(
                f"{binary} is no Stroppy of a known kind: `run --help` tells neither flags of k6 nor its own"
            )
        listed = asked.listed()
        workloads = _of_go(asked, listed) if dialect == GO else _of_k6(asked, listed)
        return {
            "dialect": dialect,
            "version": version_of(asked.text("version")),
            "workloads": workloads,
            "drivers": {
                str(each["type"]): list(each.get("insert_methods") or ())
                for each in listed.get("drivers") or ()
            },
            "driver_options": driver_options_of(asked.text("help", "drivers")),
        }


def dialect_of(run_help: str) -> str:
    """`go`, `k6`, or '' when the help of `run` is neither's."""
    if "k6-args" in run_help or "pass k6 flags" in run_help:
        return K6
    return GO if "--executor" in run_help and "Typed parameter flags" in run_help else ""


def version_of(text: str) -> str:
    """The version of Stroppy in what `version` prints; '' when it does not know itself."""
    found = re.search(r"(?m)^stroppy\s+(\S+)", text)
    return "" if not found or found[1] in ("unknown", "0.0.0") else found[1]


def driver_options_of(topic: str) -> dict[str, Any]:
    """The keys of `-D` in the help topic `drivers`, with the type and, where it lists them, the values."""
    options: dict[str, Any] = {}
    last: dict[str, Any] | None = None
    for line in topic.splitlines():
        found, more = _OPTION.fullmatch(line), _MORE.fullmatch(line)
        if found:
            last = options[found[1]] = {"type": found[2], "said": found[3].strip()}
        elif more and last is not None:
            last["said"] += " " + more[1].strip()
        else:
            last = None
    return {name: _option(given) for name, given in options.items()}


def _option(given: Mapping[str, str]) -> dict[str, Any]:
    values = [word.strip() for word in given["said"].split("|")] if "|" in given["said"] else []
    return {
        "type": given["type"],
        "values": values if all(re.fullmatch(r"\w+", word) for word in values) else [],
    }


class _Asked:
    """The program, asked in a folder where no configuration of somebody lies."""

    def __init__(self, binary: str, folder: str) -> None:
        self.binary, self.folder = binary, folder

    def done(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        quiet = {name: text for name, text in os.environ.items() if not name.startswith(("STROPPY_", "K6_"))}
        try:
            return subprocess.run(
                [self.binary, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                cwd=self.folder,
                env={**quiet, "LOG_LEVEL": "info", "HOME": self.folder},
                timeout=_ASK_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CannotAsk(f"{self.binary} {' '.join(words)} did not end within {_ASK_SECONDS} s") from None
        except OSError as error:
            raise CannotAsk(f"{self.binary} cannot be run: {error.strerror}") from None

    def text(self, *words: str) -> str:
        done = self.done(words)
        return f"{done.stdout}\n{done.stderr}"

    def listed(self) -> dict[str, Any]:
        done = self.done(("probe", "-o", "json"))
        found = _json(done.stdout)
        if found is None:
            said = (done.stderr.strip() or done.stdout.strip())[-_LONGEST:]
            raise CannotAsk(f"{self.binary} probe -o json did not tell its workloads: {said}")
        return found


def _json(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


# ---- the plain Go line


def _of_go(asked: _Asked, listed: Mapping[str, Any]) -> dict[str, Any]:
    workloads: dict[str, Any] = {}
    for each in listed.get("workloads") or ():
        params = [
            {
                "name": str(param["name"]),
                "type": str(param.get("type") or "string"),
                "default": param.get("default"),
                "env": str(param.get("env") or ""),
                "says": str(param.get("description") or ""),
            }
            for param in each.get("params") or ()
        ]
        workloads[str(each["name"])] = {"params": params, "steps": _go_steps(asked, str(each["name"]))}
    return workloads


def _go_steps(asked: _Asked, workload: str) -> list[str]:
    """It names each step that it leaves out, and begins nothing when all are."""
    said = asked.text("run", workload, "-d", "noop", "--steps", _NO_STEP)
    found = list(dict.fromkeys(_SKIPPED.findall(said)))
    return [*found, _WORKLOAD]


# ---- the line with k6 inside


def _of_k6(asked: _Asked, listed: Mapping[str, Any]) -> dict[str, Any]:
    names = [
        _script_name(str(each["name"]), str(script["name"]))
        for each in listed.get("presets") or ()
        for script in each.get("scripts") or ()
        if script.get("runnable")
    ]
    return {name: _k6_workload(asked, name) for name in names if not name.endswith(_SHARED)}


def _script_name(preset: str, script: str) -> str:
    stem = script.rpartition(".")[0] or script
    return preset if stem == preset else f"{preset}/{stem}"


def _k6_workload(asked: _Asked, name: str) -> dict[str, Any]:
    """One whose script cannot be looked at takes no parameters, as far as anybody knows."""
    told = _json(asked.done(("probe", name, "-o", "json")).stdout) or {}
    params = [_k6_param(each) for each in told.get("env_declarations") or ()]
    return {
        "params": [param for param in params if not param["env"].startswith("STROPPY_")],
        "steps": [str(step) for step in told.get("steps") or ()],
    }


def _k6_param(given: Mapping[str, Any]) -> dict[str, Any]:
    names = [str(name) for name in given.get("names") or ("",)]
    default = str(given.get("default") or "")
    return {
        "name": names[0].lower().replace("_", "-"),
        "type": _type_of(names[0], default),
        "default": default,
        "env": names[0],
        "says": str(given.get("description") or ""),
    }


def _type_of(name: str, default: str) -> str:
    """Its declarations have no types: the name and the default tell."""
    if name in _DURATIONS:
        return "duration"
    if default in ("true", "false"):
        return "bool"
    if re.fullmatch(r"-?\d+", default):
        return "float64" if name == "SCALE_FACTOR" else "int"
    return "string"
