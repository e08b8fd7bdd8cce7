"""Small histories and what must be found in them: each `histories/NAME.jsonl` with its `NAME.json`.

`result` holds the fields of the client's result that matter, `findings` are kind and texts of each finding in order,
`looks` (time, node, ranges, takes writes) and `faults` stand beside the history, `checks` says what checks must say.
"""

from __future__ import annotations

import gc
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from e2e_ansible.checks.base import Situation
from e2e_ansible.checks.registry import evaluate
from e2e_ansible.judge.clients import judge_client
from e2e_ansible.judge.durability import look_at
from e2e_ansible.nodes.observation import Observation
from e2e_ansible.oracle.history import Record, parse

FOLDER = Path(__file__).parent / "histories"
NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))


def _read(name: str) -> tuple[list[Record], dict[str, Any]]:
    records = list(parse((FOLDER / f"{name}.jsonl").read_bytes()))
    return records, json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def _differs(expected: Any, found: Any, where: str = "") -> list[str]:
    """Where what was found lacks something of what is expected; objects may have more."""
    if isinstance(expected, dict) and isinstance(found, dict) and (expected or not where):
        return [
            line for key in expected for line in _differs(expected[key], found.get(key), f"{where}.{key}")
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [line for n, each in enumerate(expected) for line in _differs(each, found[n], f"{where}[{n}]")]
    same = found == pytest.approx(expected, abs=2e-6) if isinstance(expected, float) else found == expected
    return [] if same else [f"{where}: expected {expected!r}, found {found!r}"]


def test_every_history_has_its_expectation() -> None:
    assert NAMES
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_is_found(name: str) -> None:
    records, said = _read(name)
    looks = [
        look_at(at, node, map(tuple, rows), writer=writer) for at, node, rows, writer in said.get("looks", ())
    ]
    faults = [SimpleNamespace(**fault) for fault in said.get("faults", ())]
    result = judge_client("c", records, looks=looks, faults=faults)
    assert _differs(said["result"], json.loads(result.model_dump_json())) == [], said["about"]
    told = [(finding.kind, finding.message) for finding in result.findings]
    assert [kind for kind, _ in told] == [kind for kind, *_ in said["findings"]], told
    for (_, message), (_, *texts) in zip(told, said["findings"], strict=True):
        assert all(text in message for text in texts), message


CHECKED = [(name, text) for name in NAMES for text in _read(name)[1].get("checks", ())]


@pytest.mark.parametrize(("name", "text"), CHECKED)
def test_what_a_check_says(name: str, text: str) -> None:
    records, said = _read(name)
    passed, texts = said["checks"][text]
    look = Situation(
        Observation(at=1.0, nodes=()), {"n11": ("database",)}, "replication", "n11", histories={"c": records}
    )
    outcome = evaluate(text, look)
    assert outcome.passed is passed, outcome.message
    assert all(each in outcome.message for each in texts), outcome.message


def test_the_same_history_is_judged_the_same() -> None:
    records, _ = _read("outage-of-faults")
    assert judge_client("c", records).model_dump_json() == judge_client("c", list(records)).model_dump_json()


@pytest.mark.parametrize("collects", [True, False])
def test_the_collector_of_garbage_is_left_as_it_was(collects: bool) -> None:
    was = gc.isenabled()
    (gc.enable if collects else gc.disable)()
    try:
        judge_client("c", _read("rows-kept")[0])
        assert gc.isenabled() is collects
    finally:
        (gc.enable if was else gc.disable)()
