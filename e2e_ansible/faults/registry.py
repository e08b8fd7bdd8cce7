"""All faults by name: built in, and from the entry point group `e2e_ansible.faults`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from e2e_ansible.errors import HarnessError, UsageError
from e2e_ansible.faults.base import Fault, FaultOptions
from e2e_ansible.faults.clock import ClockJump
from e2e_ansible.faults.corruption import Corruption
from e2e_ansible.faults.disk import DiskFull, DiskSlow
from e2e_ansible.faults.partition import Partition
from e2e_ansible.faults.power import Crash, Panic, PowerOff, Reboot, Stop
from e2e_ansible.faults.pressure import CpuPressure, MemoryPressure
from e2e_ansible.faults.process import Kill, Pause
from e2e_ansible.faults.services import DelayRestore, KillObservability, PauseBackup
from e2e_ansible.faults.shaping import Latency, Loss
from e2e_ansible.names import suggestion

__all__ = ["ENTRY_POINT_GROUP", "fault_named", "faults", "options_of"]

ENTRY_POINT_GROUP = "e2e_ansible.faults"
_BUILT_IN: tuple[type[Fault[Any]], ...] = (
    Kill,
    Pause,
    Partition,
    Loss,
    Latency,
    DiskFull,
    DiskSlow,
    MemoryPressure,
    CpuPressure,
    ClockJump,
    Corruption,
    PauseBackup,
    DelayRestore,
    KillObservability,
    Crash,
    Panic,
    PowerOff,
    Stop,
    Reboot,
)


def faults() -> Mapping[str, Fault[Any]]:
    """Every fault by name."""
    return {**{kind.name: kind() for kind in _BUILT_IN}, **_from_entry_points()}


def fault_named(name: str) -> Fault[Any]:
    """The fault of this name.

    Raises:
        UsageError: there is none; the hint names the nearest one.
    """
    known = faults()
    if name not in known:
        raise UsageError(f"there is no fault named {name!r}", hint=suggestion(name, known))
    return known[name]


def options_of(fault: Fault[Any], options: Mapping[str, Any]) -> FaultOptions:
    """The typed options of a fault.

    Raises:
        UsageError: an option is unknown, or its value is wrong.
    """
    try:
        return fault.options.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        known = sorted(fault.options.model_fields)
        hint = suggestion(where, known) if first["type"] == "extra_forbidden" else ""
        text = (
            f"fault {fault.name}: {where}: {first['msg']}" if where else f"fault {fault.name}: {first['msg']}"
        )
        raise UsageError(text, hint=hint) from error


@lru_cache(maxsize=1)
def _from_entry_points() -> Mapping[str, Fault[Any]]:
    found: dict[str, Fault[Any]] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        fault = _load(point)
        if fault.name in found or any(fault.name == kind.name for kind in _BUILT_IN):
            raise HarnessError(f"{point.value} ({ENTRY_POINT_GROUP}) brings a second fault {fault.name!r}")
        found[fault.name] = fault
    return found


def _load(point: EntryPoint) -> Fault[Any]:
    try:
        kind = point.load()
    except Exception as error:
        text = f"{point.value} ({ENTRY_POINT_GROUP}) cannot be loaded: {type(error).__name__}: {error}"
        raise HarnessError(text, hint="update or remove the package that brings it") from error
    if not (isinstance(kind, type) and issubclass(kind, Fault)):
        raise HarnessError(f"{point.value} ({ENTRY_POINT_GROUP}) is not a Fault")
    made: Fault[Any] = kind()
    return made
