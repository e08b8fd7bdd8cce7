"""How busy one look found a node: counters of its processor, memory, disk, and a restore that is under way."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

__all__ = ["Cpu", "Load", "Restoring", "load"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Cpu(_Record):
    """Processor seconds used, out of those there were, both counted from the start of something; two looks give a rate.

    `source`: `machine` is all of the node; in a container `cgroup` is its own control group, and `processes` the sum
    over its processes, in which those are missing that ended and were waited for by nobody.
    """

    busy_seconds: float
    of_seconds: float
    source: str


class Restoring(_Record):
    """pgBackRest is restoring: for so long, and so many bytes were written. The folder may have held files before."""

    seconds: float
    written_bytes: int | None = None
    folder_bytes: int | None = None


class Load(_Record):
    """One node at one moment. `disk_percent` is of the file system of `disk_folder`; what is None could not be read.

    `memory_of` is `machine` or `cgroup`: a container without a limit of its own can have the memory of its machine.
    """

    cpu: Cpu | None = None
    memory_percent: float | None = None
    memory_of: str = ""
    disk_percent: float | None = None
    disk_folder: str = ""
    restore: Restoring | None = None
    error: str = ""


def load(facts: Any) -> Load | None:
    """What the probe said; None when it was not asked."""
    if facts is None:
        return None
    try:
        return Load.model_validate(facts)
    except ValidationError as error:
        return Load(error=f"the probe's answer is not understood: {error}")
