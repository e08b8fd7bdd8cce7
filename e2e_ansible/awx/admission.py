"""Whether the step of a job may begin: the machine has what its test requires, and the time of its class is not over.

A job says it before it does anything, and whoever follows the workflow takes its word: a step that was not begun is
none that failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from e2e_ansible.errors import UsageError
from e2e_ansible.names import suggestion
from e2e_ansible.run.requirements import unmet
from e2e_ansible.suite.model import Requirements
from e2e_ansible.suite.times import LIMITS

__all__ = ["BEGAN", "REFUSED", "Admission", "Refused", "admit", "began_of", "refused_of"]

#: The keys of a result: why the step was not begun, and when the steps of its test were.
REFUSED, BEGAN = "e2e_refused", "e2e_began"


class Refused(BaseModel):
    """Why a step was not begun. For `time`, `used` seconds of the class were over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    why: Literal["time", "requirements"]
    text: str
    used: float = 0.0


@dataclass(frozen=True)
class Admission:
    """The word of a job. `first` says that no job before it knew when its test was `begun`, in seconds since 1970.

    `until` is when the time of the class is over, 0 for never.
    """

    begun: float
    first: bool
    until: float = 0.0
    refused: Refused | None = None


def admit(
    *,
    time_class: str,
    requirements: Mapping[str, object],
    begun: float | None,
    now: float,
    disk: Path,
) -> Admission:
    """The word of a job that begins `now`; `begun` is what earlier jobs have handed on.

    Raises:
        UsageError: there is no such class, or no such requirement.
    """
    first, begun = begun is None, now if begun is None else begun
    limit = _limit(time_class)
    refused = _too_late(time_class, limit, now - begun) or _lacking(requirements, disk)
    return Admission(begun, first, begun + limit if limit else 0.0, refused)


def _limit(time_class: str) -> float:
    if time_class and time_class not in LIMITS:
        raise UsageError(
            f"e2e_time_class: there is no class {time_class!r}", hint=suggestion(time_class, LIMITS)
        )
    return LIMITS.get(time_class, 0.0)


def _too_late(time_class: str, limit: float, used: float) -> Refused | None:
    if not limit or used < limit:
        return None
    text = (
        f"the time of class {time_class}, {limit:g} s, is over after {used:.0f} s: this step does not begin"
    )
    return Refused(why="time", text=text, used=round(used, 3))


def _lacking(requirements: Mapping[str, object], disk: Path) -> Refused | None:
    try:
        wanted = Requirements.model_validate(requirements)
    except ValidationError as error:
        raise UsageError(f"e2e_requirements: {error.errors(include_url=False)[0]['msg']}") from error
    lines = list(unmet(wanted, disk))
    if not lines:
        return None
    text = "\n".join(["the machine of this job does not have what the suite requires:", *lines])
    return Refused(why="requirements", text=text)


def refused_of(result: Mapping[str, object]) -> Refused | None:
    """Why a job did not begin its step, from the result of the task that reads it.

    None if it began, or failed in another way.
    """
    try:
        return Refused.model_validate(result.get(REFUSED))
    except ValidationError:
        return None


def began_of(result: Mapping[str, object]) -> float | None:
    """When the steps of a test with a time class were begun, as a job tells; None if it tells nothing of it."""
    found = result.get(BEGAN)
    return float(found) if isinstance(found, int | float) else None
