"""What jobs of one workflow hand on to later ones: artifacts of AWX, which come as variables.

Where branches meet, AWX puts their artifacts together by name, branch after branch, and to each branch belongs all that
it was given itself. So of one name that two jobs set, an old value may take the place of a new one. Here no two jobs
set the same name: each has its own, by the step that it does, and who reads puts them together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from e2e_ansible.errors import HarnessError

__all__ = ["BEGUN", "OUTPUT", "artifact", "begun_of", "registered_of"]

#: What names of artifacts begin with: the output of a step, and when the steps of the test were begun.
OUTPUT, BEGUN = "e2e_output_", "e2e_begun_"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]")

Registered = Mapping[str, Mapping[str, Any]]


def artifact(kind: str, step: str) -> str:
    """The name of what the job of a step hands on; unique by the number that ids of steps begin with."""
    return kind + _NOT_IN_NAMES.sub("_", step)


def registered_of(variables: Mapping[str, object]) -> Registered:
    """The output of earlier steps by the name that each was given with `register`.

    Raises:
        HarnessError: an artifact is not what a job of this version hands on.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for name in sorted(variables):
        if name.startswith(OUTPUT):
            output = _output(name, variables[name])
            found[str(output.pop("name"))] = output
    return found


def _output(name: str, text: object) -> dict[str, Any]:
    try:
        output = json.loads(str(text))
        return {"name": output["name"], **{key: output[key] for key in ("stdout", "stderr", "rc")}}
    except (ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"the artifact {name} is no output of a step") from error


def begun_of(variables: Mapping[str, object]) -> float | None:
    """When the first step of the test was begun, in seconds since 1970; None in the first job.

    Raises:
        HarnessError: an artifact is not what a job of this version hands on.
    """
    times = [item for name, item in variables.items() if name.startswith(BEGUN)]
    try:
        return min((float(str(item)) for item in times), default=None)
    except ValueError as error:
        raise HarnessError(f"the artifact {BEGUN}... is no time: {error}") from error
