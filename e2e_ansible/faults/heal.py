"""Heals faults by what the ledger says of them, and proves it. Twice is harmless."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from e2e_ansible.errors import UsageError
from e2e_ansible.faults.hands import Done, Hands
from e2e_ansible.faults.ledger import FaultRecord, Line
from e2e_ansible.faults.registry import faults
from e2e_ansible.faults.script import remove
from e2e_ansible.names import suggestion

__all__ = ["heal_all", "heal_shell", "still_cut", "wanted"]

_HEAL_SECONDS = 90
_REMOVE_SECONDS = 20
Result = dict[str, Any]


def wanted(
    records: Sequence[FaultRecord], node: str, name: str = "", *, checked: bool = False
) -> list[FaultRecord]:
    """The open faults of a node, the last one first; `name` picks those of one step, '' means all.

    A name that was `checked` against the suite may be that of a fault which was never injected.

    Raises:
        UsageError: no fault ever had this name.
    """
    known = {word: None for record in records for word in (record.name, record.step, record.fault)}
    if name and records and name not in known and not checked:
        raise UsageError(f"no fault is named {name!r}", hint=suggestion(name, known))
    mine = [record for record in records if record.node == node and record.open]
    return [record for record in reversed(mine) if _is_meant(record, name)]


def still_cut(records: Sequence[FaultRecord], record: FaultRecord, name: str = "") -> set[str]:
    """Nodes that are out of reach by open faults beside this one, which are not healed together with it.

    The node of the fault itself is among them if another one of its own is open: they are healed one by one.
    """
    known = faults()
    return {
        other.node
        for other in records
        if other.open
        and other.id != record.id
        and (other.node == record.node or not _is_meant(other, name))
        and other.fault in known
        and (known[other.fault].cuts or known[other.fault].disconnects)
    }


def _is_meant(record: FaultRecord, name: str) -> bool:
    return not name or name in (record.name, record.step, record.fault)


def heal_shell(heal: Mapping[str, Any], hands: Hands, off: Sequence[str] = ()) -> Done:
    """Run the heal, wait for its proof, remove what lay on the node. `off` are addresses that cannot answer."""
    known = f"off='{' '.join(off)}'\n"
    healed = hands.run(str(heal["heal"]), _HEAL_SECONDS)
    proof = hands.run_until(known + str(heal["healed"]), float(heal["seconds"]))
    if proof.code != 0:
        said = proof.said if healed.code == 0 else f"{healed.said}; {proof.said}"
        return Done(proof.code, said)
    removed = hands.run(remove(str(heal["machine"]), str(heal["key"])), _REMOVE_SECONDS)
    return proof if removed.code == 0 else removed


def heal_all(
    records: Sequence[FaultRecord],
    one: Callable[[FaultRecord], Done],
    write: Callable[[Line], None],
    now: Callable[[], float] = time.time,
) -> Result:
    """Heal these faults of one node, whatever becomes of each; the result of the task.

    Raises:
        OSError: the ledger could not be written.
    """
    begin = time.monotonic()
    healed: list[str] = []
    left: list[str] = []
    for record in records:
        write(Line(at=now(), fault_id=record.id, event="healing"))
        done = one(record)
        ok = done.code == 0
        write(
            Line(
                at=now(),
                fault_id=record.id,
                event="healed" if ok else "failed",
                proved=ok,
                message=done.said,
            )
        )
        (healed if ok else left).append(f"{record.name or record.fault} on {record.node}: {done.said}")
    if left:
        return {"failed": True, "changed": bool(healed), "msg": f"not healed: {'; '.join(left)}"}
    how = "; ".join(healed) or "no fault was open"
    seconds = round(time.monotonic() - begin, 3)
    proof = {"act": "heal", "proved": True, "how": how, "seconds": seconds}
    return {"changed": bool(healed), "healed": healed, "e2e_proof": proof, "msg": how}
