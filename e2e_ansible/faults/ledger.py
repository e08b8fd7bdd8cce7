"""The ledger of faults: a line before each injection, and after all that is known of it. Reading it is pure."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from e2e_ansible.errors import HarnessError

__all__ = ["LEDGER", "VARIABLE", "FaultRecord", "Line", "append", "fold", "ledger_path", "lines", "read"]

LEDGER = "faults.jsonl"
VARIABLE = "E2E_FAULT_LEDGER"
Event = Literal["chosen", "intended", "injected", "effect", "healing", "healed", "failed"]


class Line(BaseModel):
    """One line; `at` is in epoch seconds. `heal` is all that heals it, None for an act that is left as it is.

    `effect` and `healed` carry `proved`; `failed` is a heal that was not proved, or an injection that came to nothing.
    `chosen` is of no fault: it keeps the nodes that a step has chosen for one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: float
    fault_id: str
    event: Event
    fault: str = ""
    node: str = ""
    step: str = ""
    name: str = ""
    options: Mapping[str, Any] = Field(default_factory=dict)
    before: Mapping[str, Any] | None = None
    heal: Mapping[str, Any] | None = None
    proved: bool | None = None
    message: str = ""


class FaultRecord(BaseModel):
    """One fault on one node as far as the ledger tells; times in epoch seconds, None for what did not happen."""

    model_config = ConfigDict(frozen=True)

    id: str
    fault: str
    node: str
    step: str = ""
    name: str = ""
    options: Mapping[str, Any] = Field(default_factory=dict)
    intended: float = 0.0
    injected: float | None = None
    effect: float | None = None
    effect_proved: bool | None = None
    healing: float | None = None
    healed: float | None = None
    before: Mapping[str, Any] | None = None
    heal: Mapping[str, Any] | None = None
    message: str = ""

    @property
    def open(self) -> bool:
        """Whether it may still be there: what was intended may have been done, until a heal is proved."""
        return self.heal is not None and self.healed is None


def append(path: Path, line: Line) -> None:
    """Write one line; it is on the disk when this returns. A torn line before it stays apart.

    Raises:
        OSError: it could not be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        text = ("\n" if torn else "") + line.model_dump_json(exclude_defaults=True) + "\n"
        data = text.encode()
        if os.write(descriptor, data) != len(data):
            raise OSError(f"{path} took only a part of a line")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def ledger_path(environment: Mapping[str, str], home: Path, deployment: str) -> Path:
    """The ledger of the run that is under way, else the one of the deployment."""
    named = environment.get(VARIABLE, "")
    return Path(named) if named else home / "faults" / f"{deployment or 'none'}.jsonl"


def read(path: Path) -> list[FaultRecord]:
    """The faults of a ledger, in order of their beginning; none if there is no ledger.

    Raises:
        HarnessError: the file cannot be read.
    """
    return fold(_text(path))


def lines(path: Path) -> list[Line]:
    """All whole lines of a ledger; none if there is no ledger.

    Raises:
        HarnessError: the file cannot be read.
    """
    return [line for text in _text(path) if (line := _line(text)) is not None]


def _text(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    except OSError as error:
        raise HarnessError(f"the ledger of faults {path} cannot be read: {error.strerror}") from error
    return text.splitlines()


def fold(lines: Iterable[str]) -> list[FaultRecord]:
    """Lines to records. Pure. A line that a kill has torn is left out: nothing was done before it was whole."""
    records: dict[str, FaultRecord] = {}
    for text in lines:
        line = _line(text)
        if line is None:
            continue
        if line.event == "intended":
            records.pop(line.fault_id, None)
            records[line.fault_id] = _begun(line)
        elif line.fault_id in records:
            records[line.fault_id] = _next(records[line.fault_id], line)
    return list(records.values())


def _line(text: str) -> Line | None:
    try:
        return Line.model_validate(json.loads(text))
    except (ValueError, ValidationError):
        return None


def _begun(line: Line) -> FaultRecord:
    return FaultRecord(
        id=line.fault_id,
        fault=line.fault,
        node=line.node,
        step=line.step,
        name=line.name,
        options=line.options,
        intended=line.at,
        before=line.before,
        heal=line.heal,
        message=line.message,
    )


def _next(record: FaultRecord, line: Line) -> FaultRecord:
    more: dict[str, Any] = {"message": line.message or record.message}
    match line.event:
        case "effect" if line.proved and record.effect_proved:
            pass  # seen once more by a run that was resumed: it was there from the first time on
        case "effect":
            more |= {"effect": line.at, "effect_proved": line.proved}
            if line.proved and record.injected is None:  # done by a role: some time after it was intended
                more["injected"] = record.intended
        case "healed" if not line.proved:
            pass
        case "injected" | "healing" | "healed":
            more[line.event] = line.at
        case _:  # failed: it stays open if it can be healed
            pass
    return record.model_copy(update=more)
