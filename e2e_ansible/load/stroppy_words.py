"""From what a step asks for to the words of either dialect of Stroppy; and what of it the program would not take.

Sent to nodes too, so it needs nothing but Python. `request` is plain JSON, see `Request`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from e2e_ansible.load.stroppy_catalogue import GO

__all__ = ["CONFIG", "SUMMARY", "Problem", "problems", "words"]

CONFIG = "stroppy-config.json"
SUMMARY = "summary.json"
_TYPES: dict[str, tuple[str, str]] = {
    "int": (r"-?\d+", "a whole number"),
    "int64": (r"-?\d+", "a whole number"),
    "uint64": (r"\d+", "a whole number"),
    "float64": (r"-?\d+(\.\d*)?([eE][+-]?\d+)?|-?\.\d+", "a number"),
    "bool": (r"true|false", "true or false"),
    "duration": (r"0|([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+", "a duration such as 30s or 5m"),
}
_EXECUTORS = ("constant-vus", "shared-iterations")
_RUN = ("executor", "vus", "iterations", "duration")
_FIELD = {"scale-factor": "scale", "duration": "duration_seconds"}
_ITERATIONS = ("iterations", "iter")


class Problem(NamedTuple):
    """`path` is where in the step: the option, and the key or index in it."""

    path: tuple[Any, ...]
    message: str
    hint: str


def problems(request: Mapping[str, Any], catalogue: Mapping[str, Any]) -> list[Problem]:
    """What the program would refuse, or leave aside without a word."""
    return list(_problems(request, catalogue))


def words(request: Mapping[str, Any], catalogue: Mapping[str, Any]) -> list[str]:
    """The arguments after the program's name. The request has no problems."""
    given = ["run", str(request["workload"])]
    if request.get("config"):
        given += ["-f", CONFIG]
    given += ["-d", str(request.get("driver") or "pg")]
    if request.get("url"):
        given += ["-D", f"url={request['url']}"]
    for name, value in (request.get("driver_options") or {}).items():
        given += ["-D", f"{name}={_text(value)}"]
    for flag in ("steps", "no_steps"):
        if request.get(flag):
            given += [f"--{flag.replace('_', '-')}", ",".join(request[flag])]
    if catalogue["dialect"] == GO:
        return given + [
            word for name, value in _named(request).items() for word in (f"--{name}={_text(value)}",)
        ]
    return given + _k6_words(request, catalogue)


def _k6_words(request: Mapping[str, Any], catalogue: Mapping[str, Any]) -> list[str]:
    params = _params(request, catalogue)
    given: list[str] = []
    for name, value in _named(request).items():
        if name != "executor":
            given += ["-e", f"{params[_known(name, params)]['env']}={_text(value)}"]
    return [*given, "--", "--summary-export", SUMMARY]


def _named(request: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter by the name that the program has for it."""
    named = {
        str(name).replace("_", "-").lower(): value for name, value in (request.get("params") or {}).items()
    }
    if request.get("scale") is not None:
        named["scale-factor"] = request["scale"]
    for name in ("executor", "vus", "iterations"):
        if request.get(name):
            named[name] = request[name]
    if request.get("duration_seconds"):
        named["duration"] = f"{float(request['duration_seconds']):g}s"
        named.setdefault("executor", "constant-vus")
    return named


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _params(request: Mapping[str, Any], catalogue: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    workload = catalogue["workloads"].get(request["workload"]) or {}
    return {str(param["name"]): param for param in workload.get("params") or ()}


def _known(name: str, params: Collection[str]) -> str:
    """The line with k6 says `iter`."""
    return next((each for each in _ITERATIONS if name in _ITERATIONS and each in params), name)


def _problems(request: Mapping[str, Any], catalogue: Mapping[str, Any]) -> Iterator[Problem]:
    workload = str(request["workload"])
    known = catalogue["workloads"]
    if workload not in known:
        yield Problem(("workload",), f"this Stroppy has no workload {workload!r}", _near(workload, known))
        yield from _of_any(request, catalogue)
    else:
        yield from _of_params(request, catalogue)
        yield from _of_steps(request, known[workload].get("steps") or ())
    yield from _of_driver(request, catalogue)


def _of_any(request: Mapping[str, Any], catalogue: Mapping[str, Any]) -> Iterator[Problem]:
    """What no workload of it would take, where the one that is wanted is not known."""
    known: dict[str, list[str]] = {}
    steps: set[str] = set()
    for workload in catalogue["workloads"].values():
        steps.update(workload.get("steps") or ())
        for param in workload.get("params") or ():
            known.setdefault(str(param["name"]), []).append(str(param["type"]))
    for name, value in _named(request).items():
        types = known.get(_known(name, known))
        path = _place(name, request)
        if name == "executor":
            yield from _of_executor(path, value, request)
        elif types is None:
            yield Problem(path, f"no workload of this Stroppy has a parameter {name!r}", _near(name, known))
        elif len(set(types)) == 1:
            yield from _of_value(path, name, value, types[0])
    for flag in ("steps", "no_steps"):
        for index, step in enumerate(request.get(flag) or ()):
            if step not in steps:
                message = f"no workload of this Stroppy has a step {step!r}"
                yield Problem((flag, index), message, _near(step, sorted(steps)))


def _of_params(request: Mapping[str, Any], catalogue: Mapping[str, Any]) -> Iterator[Problem]:
    params, k6 = _params(request, catalogue), catalogue["dialect"] != GO
    title = f"workload {request['workload']!r} of this Stroppy ({catalogue['dialect']} dialect)"
    for name, value in _named(request).items():
        path = _place(name, request)
        if name == "executor":
            yield from _of_executor(path, value, request)
            if k6:
                continue
        found = params.get(_known(name, params))
        if found is None:
            what = "takes no parameters" if not params else f"has no parameter {name!r}"
            yield Problem(path, f"{title} {what}", _near(name, params) if params else "leave it out")
        else:
            yield from _of_value(path, name, value, str(found["type"]))


def _place(name: str, request: Mapping[str, Any]) -> tuple[Any, ...]:
    for key in request.get("params") or {}:
        if str(key).replace("_", "-").lower() == name:
            return ("params", key)
    field = _FIELD.get(name, name)
    return (field,) if request.get(field) is not None else ("duration_seconds",)


def _of_executor(path: tuple[Any, ...], value: Any, request: Mapping[str, Any]) -> Iterator[Problem]:
    if value not in _EXECUTORS:
        yield Problem(path, f"there is no executor {value!r}", f"one of {', '.join(_EXECUTORS)}")
    timed = "duration" in _named(request)
    if value == "shared-iterations" and timed:
        yield Problem(path, "executor shared-iterations has no duration", "write constant-vus, or iterations")
    if value == "constant-vus" and not timed:
        yield Problem(path, "executor constant-vus needs a duration", "write duration_seconds")


def _of_value(path: tuple[Any, ...], name: str, value: Any, kind: str) -> Iterator[Problem]:
    pattern, said = _TYPES.get(kind, ("", ""))
    if pattern and not re.fullmatch(pattern, _text(value)):
        yield Problem(path, f"{name} is {said}, not {_text(value)!r}", "")


def _of_steps(request: Mapping[str, Any], known: Sequence[str]) -> Iterator[Problem]:
    for flag in ("steps", "no_steps"):
        for index, step in enumerate(request.get(flag) or ()):
            if step not in known:
                yield Problem(
                    (flag, index),
                    f"workload {request['workload']!r} has no step {step!r}",
                    _near(step, known),
                )


def _of_driver(request: Mapping[str, Any], catalogue: Mapping[str, Any]) -> Iterator[Problem]:
    known = catalogue.get("driver_options") or {}
    for name, value in (request.get("driver_options") or {}).items():
        family = f"{str(name).partition('.')[0]}.*"
        if name not in known and family not in known:
            message = f"drivers of this Stroppy ({catalogue['dialect']} dialect) have no option {name!r}"
            yield Problem(("driver_options", name), message, _near(str(name), known))
            continue
        option = known.get(name) or {}
        values = list(catalogue["drivers"]) if name == "driverType" else option.get("values")
        if values and value not in values:
            yield Problem(
                ("driver_options", name), f"{name} cannot be {_text(value)!r}", f"one of {', '.join(values)}"
            )
        elif not values:
            yield from _of_value(("driver_options", name), str(name), value, str(option.get("type")))


def _near(name: str, known: Any) -> str:
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {found[0]!r}?" if found else f"one of {', '.join(known)}"
