"""Budgets: what an option or the environment says, and what this machine has."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from e2e_ansible.errors import UsageError
from e2e_ansible.names import nearest, suggestion
from e2e_ansible.quota.amounts import Budget

__all__ = ["VARIABLE", "machine_budget", "parse_budget", "run_budget"]

#: What all runs of this machine may have together, in place of what the machine has.
VARIABLE = "E2E_BUDGET"

_NO_BOUND = "none"
_KEYS = {"nodes": "nodes", "cpus": "millicpus", "memory_gb": "memory_mb", "disk_gb": "disk_mb"}
_SCALE = {"nodes": 1, "cpus": 1000, "memory_gb": 1024, "disk_gb": 1024}
_MOST = 1_000_000

_BETWEEN = re.compile(r"[;,]\s*|\s+(?=[A-Za-z_-]+\s*[:=])")
_ITEM = re.compile(
    r"(?P<key>[A-Za-z_-]+)\s*[:=]\s*(?P<value>\d+(\.\d+)?|none)\s*(?P<unit>gi?b?)?", re.IGNORECASE
)

#: For the controller itself: a tenth of the memory, and no less than this many MiB.
_LEAST_RESERVE_MB = 512
_RESERVED_PART = 10


def parse_budget(text: str, *, where: str = "--budget") -> dict[str, int | None]:
    """`nodes=12,cpus=2,memory_gb=8,disk_gb=100` as fields of a `Budget`; `none` takes a bound away.

    >>> parse_budget("nodes=4,cpus=0.5")
    {'nodes': 4, 'millicpus': 500}

    Raises:
        UsageError: an unknown key, a key twice, or no number above 0.
    """
    try:
        return _read(text, where)
    except UsageError as error:
        meant = _meant(text)
        error.hint = f"write {meant}" if meant else error.hint
        raise


def _read(text: str, where: str) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = (part.strip() for part in item.partition("="))
        if key not in _KEYS:
            raise UsageError(f"{where}: there is no {key!r} in a budget", hint=suggestion(key, _KEYS))
        if _KEYS[key] in found:
            raise UsageError(f"{where}: {key} is there twice", hint="say it once")
        found[_KEYS[key]] = None if value == _NO_BOUND else _number(key, value, where)
    if not found:
        raise UsageError(
            f"{where} says nothing", hint="write nodes=12,cpus=2,memory_gb=8,disk_gb=100, or some of it"
        )
    return found


def _meant(text: str) -> str:
    """The budget that somebody meant who wrote other signs, units or nearly the names; '' if that is not clear."""
    items = []
    for item in filter(None, _BETWEEN.split(text.strip())):
        said = _ITEM.fullmatch(item)
        key = nearest(said["key"], _KEYS) if said else None
        if said is None or key is None or (said["unit"] and not key.endswith("_gb")):
            return ""
        items.append(f"{key}={said['value'].lower()}")
    try:
        return ",".join(items) if _read(",".join(items), "") else ""
    except UsageError:
        return ""


def _number(key: str, text: str, where: str) -> int:
    try:
        number = float(text)
        whole = round(number * _SCALE[key])
    except (ValueError, OverflowError):
        number, whole = 0.0, 0
    if not 0 < number <= _MOST or whole < 1 or (key == "nodes" and number != whole):
        kind = "a whole number" if key == "nodes" else "a number"
        raise UsageError(
            f"{where}: {key} is {kind} above 0 or {_NO_BOUND}, not {text!r}", hint=f"write {key}=4"
        )
    return whole


def run_budget(text: str, max_nodes: int | None) -> Budget:
    """What one run may have at once. The smaller number of nodes counts.

    Raises:
        UsageError: as `parse_budget`.
    """
    budget = Budget(**parse_budget(text)) if text else Budget()
    if max_nodes is None:
        return budget
    return replace(budget, nodes=max_nodes if budget.nodes is None else min(max_nodes, budget.nodes))


def machine_budget(environment: Mapping[str, str] | None = None) -> Budget:
    """What all runs of this machine may have together: what it has, and over that what `$E2E_BUDGET` says.

    Raises:
        UsageError: as `parse_budget`.
    """
    said = (os.environ if environment is None else environment).get(VARIABLE, "").strip()
    return replace(_of_this_machine(), **(parse_budget(said, where=f"${VARIABLE}") if said else {}))


def _of_this_machine() -> Budget:
    """Its processors, and its memory but for what the controller needs itself."""
    memory = _memory_mb()
    reserve = max(_LEAST_RESERVE_MB, memory // _RESERVED_PART)
    return Budget(millicpus=len(os.sched_getaffinity(0)) * 1000, memory_mb=max(1, memory - reserve))


def _memory_mb(meminfo: Path = Path("/proc/meminfo")) -> int:
    for line in meminfo.read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal":
            return int(value.split()[0]) // 1024
    raise UsageError(f"{meminfo} does not tell the memory", hint=f"say it: {VARIABLE}=memory_gb=8")
