"""Truth tables of the checks about the data files: sound nodes, then one thing is broken or not known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from e2e_ansible.checks.base import Situation
from e2e_ansible.checks.registry import evaluate
from e2e_ansible.nodes.observation import NodeObservation, Observation, PowerState, Unreachable
from e2e_ansible.nodes.physical import Physical, physical

NAMES = ("n11", "n12")
PASS, FAIL, UNKNOWN = True, False, None
SOUND: dict[str, Any] = {
    "relations": 496,
    "checked": 496,
    "databases": ["postgres", "template1"],
    "checksums": True,
    "read": True,
}
BAD = {"database": "postgres", "relation": "public.t", "block": 7, "message": "invalid page"}
COUNTED = {"database": "postgres", "count": 3, "last": "2026-11-21 15:33:21+00"}
OFF: dict[str, Any] = {"power": PowerState.OFF, "reachable": False, "physical": None}
WRONG_KEY: dict[str, Any] = {"reachable": False, "unreachable": Unreachable.AUTH, "physical": None}


def change(**changes: Any) -> dict[str, Any]:
    return {"physical": Physical.model_validate({**SOUND, **changes})}


def situation(changes: Mapping[str, Mapping[str, Any] | None]) -> Situation:
    found = []
    for name in NAMES:
        more = changes.get(name, {})
        if more is not None:
            facts = {"node": name, "power": PowerState.ON, "reachable": True, **change(), **more}
            found.append(NodeObservation(**facts))
    expected = dict.fromkeys(NAMES, ("database",))
    return Situation(Observation(at=0, nodes=tuple(found)), expected, "replication", "n11")


PLACE = "n12: database postgres, public.t, block 7: invalid page"
CASES: list[tuple[str, bool | None, dict[str, Any], str]] = [
    ("amcheck", PASS, {}, "n12: 496 relations of postgres, template1 are sound"),
    ("amcheck:n12", PASS, {"n11": change(damage=[BAD])}, "n12: 496 relations"),
    ("amcheck", FAIL, {"n12": change(damage=[BAD])}, PLACE),
    ("amcheck:n12", FAIL, {"n12": change(damage=[BAD])}, PLACE),
    ("amcheck", FAIL, {"n12": change(damage=[BAD] * 7)}, "n12: and 2 more"),
    ("amcheck", FAIL, {"n12": change(damage=[BAD], checked=3)}, "amcheck came through 3 of 496 relations"),
    ("amcheck", UNKNOWN, {"n12": change(checked=3)}, "n12: amcheck came through 3 of 496 relations"),
    ("amcheck", UNKNOWN, {"n12": change(relations=0, checked=0)}, "came through 0 of 0"),
    (
        "amcheck",
        UNKNOWN,
        {"n12": change(unread=["database x has no extension amcheck"])},
        "n12: database x has no",
    ),
    (
        "amcheck",
        UNKNOWN,
        {"n12": {"physical": None}},
        "the data of n12 (power on, ssh answers) were not read",
    ),
    (
        "amcheck",
        UNKNOWN,
        {"n12": change(error="PostgreSQL does not run")},
        "were not read: PostgreSQL does not",
    ),
    ("amcheck", UNKNOWN, {"n12": WRONG_KEY}, "n12"),
    ("amcheck", UNKNOWN, {"n12": None}, "not observed: n12"),
    ("amcheck", PASS, {"n12": OFF}, "n11: 496 relations"),
    ("amcheck:n12", UNKNOWN, {"n12": OFF}, "does not run, so nothing was read"),
    ("amcheck", UNKNOWN, {"n11": OFF, "n12": OFF}, "does not run, so nothing was read"),
    ("amcheck", PASS, {"n12": change(checksums=False, broken=[BAD])}, "sound"),
    ("data_checksums", PASS, {}, "n12: every block was read and has the right checksum"),
    ("data_checksums", PASS, {"n12": change(damage=[BAD], unread=["x"], checked=0)}, "n12: every block"),
    ("data_checksums", FAIL, {"n12": change(checksums=False, read=False)}, "n12 has data checksums off"),
    ("data_checksums", FAIL, {"n12": change(broken=[BAD])}, PLACE),
    ("data_checksums:n11", PASS, {"n12": change(broken=[BAD])}, "n11: every block"),
    (
        "data_checksums",
        FAIL,
        {"n12": change(failures=[COUNTED])},
        "database postgres had 3 checksum failures, the last",
    ),
    (
        "data_checksums",
        FAIL,
        {"n12": change(failures=[{"database": "", "count": 1}])},
        "shared relations had 1",
    ),
    ("data_checksums", UNKNOWN, {"n12": change(checksums=None)}, "does not tell whether it has checksums"),
    (
        "data_checksums",
        UNKNOWN,
        {"n12": change(read=False, read_error="time")},
        "not every block was read: time",
    ),
    ("data_checksums", FAIL, {"n12": change(read=False, broken=[BAD])}, PLACE),
    ("data_checksums", UNKNOWN, {"n12": {"physical": None}}, "were not read"),
]


@pytest.mark.parametrize(("check", "verdict", "changes", "says"), CASES)
def test_truth(check: str, verdict: bool | None, changes: dict[str, Any], says: str) -> None:
    outcome = evaluate(check, situation(changes))
    assert (outcome.passed, says in outcome.message) == (verdict, True), outcome.message


def test_an_answer_that_is_not_understood_is_an_error() -> None:
    assert physical(None) is None
    found = physical({"relations": "many"})
    assert found is not None
    assert "not understood" in found.error
