"""The ledger: what is written before an act is read after any death."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.errors import UsageError
from e2e_ansible.faults.hands import Done
from e2e_ansible.faults.heal import heal_all, still_cut, wanted
from e2e_ansible.faults.ledger import FaultRecord, Line, append, fold, ledger_path, read

HEAL = {"kind": "shell", "heal": "true"}


def line(event: Any, at: float = 1.0, fault_id: str = "01-cut/n12", **more: Any) -> Line:
    return Line(at=at, fault_id=fault_id, event=event, **more)


def intended(fault_id: str = "01-cut/n12", **more: Any) -> Line:
    known: dict[str, Any] = {
        "fault": "partition",
        "node": "n12",
        "step": "01-cut",
        "name": "cut",
        "heal": HEAL,
    }
    return line("intended", fault_id=fault_id, **{**known, **more})


def folded(*lines: Line) -> list[FaultRecord]:
    return fold(each.model_dump_json(exclude_defaults=True) for each in lines)


@pytest.mark.parametrize(
    ("events", "is_open"),
    [
        ([], True),
        ([line("injected")], True),
        ([line("injected"), line("effect", proved=True)], True),
        ([line("injected"), line("effect", proved=False), line("failed", proved=False)], True),
        ([line("injected"), line("healing")], True),
        ([line("injected"), line("healing"), line("failed", proved=False)], True),
        ([line("injected"), line("healing"), line("healed", proved=False)], True),
        ([line("injected"), line("healing"), line("healed", proved=True)], False),
        ([line("failed"), line("healed", proved=True)], False),
        ([line("injected"), line("healed", proved=True), intended()], True),
    ],
)
def test_a_fault_is_open_until_its_heal_is_proved(events: list[Line], is_open: bool) -> None:
    (record,) = folded(intended(), *events)
    assert record.open is is_open


def test_an_act_that_nothing_heals_is_never_open() -> None:
    (record,) = folded(intended(heal=None), line("effect", 2.0, proved=True, message="off"))
    assert (record.injected, record.intended) == (1.0, 1.0)
    assert (record.open, record.effect, record.effect_proved, record.message) == (False, 2.0, True, "off")


def test_times_are_kept() -> None:
    (record,) = folded(
        intended(), line("injected", 2), line("effect", 3, proved=True), line("healed", 4, proved=True)
    )
    assert (record.intended, record.injected, record.effect, record.healed) == (1.0, 2.0, 3.0, 4.0)


def test_a_torn_line_is_left_out_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "faults.jsonl"
    append(path, intended())
    with path.open("a") as file:
        file.write('{"at": 2.0, "fault_id": "02-x/n12", "event": "inten')
    assert [record.id for record in read(path)] == ["01-cut/n12"]
    append(path, line("healed", proved=True))
    assert [record.open for record in read(path)] == [False]
    assert path.stat().st_mode & 0o777 == 0o600


def test_without_a_ledger_there_are_no_faults(tmp_path: Path) -> None:
    assert read(tmp_path / "faults.jsonl") == []


def test_where_the_ledger_is(tmp_path: Path) -> None:
    assert ledger_path({"E2E_FAULT_LEDGER": "/run/x"}, tmp_path, "demo") == Path("/run/x")
    assert ledger_path({}, tmp_path, "demo") == tmp_path / "faults/demo.jsonl"


def test_the_last_fault_is_healed_first_and_only_those_that_are_meant() -> None:
    records = folded(
        intended("01-cut/n12"),
        intended("02-kill/n12", step="02-kill", name="kill"),
        intended("02-kill/n11", step="02-kill", name="kill", node="n11"),
    )
    assert [each.id for each in wanted(records, "n12")] == ["02-kill/n12", "01-cut/n12"]
    assert [each.id for each in wanted(records, "n12", "cut")] == ["01-cut/n12"]
    assert wanted(records, "n13") == []


def test_a_name_that_no_fault_ever_had_is_wrong() -> None:
    with pytest.raises(UsageError) as wrong:
        wanted(folded(intended()), "n12", "cutt")
    assert wrong.value.hint == "did you mean 'cut'?"


def test_one_heal_that_fails_does_not_keep_the_others_from_being_healed() -> None:
    records = wanted(folded(intended("01-cut/n12"), intended("02-kill/n12", name="kill")), "n12")
    written: list[Line] = []
    result = heal_all(
        records, lambda record: Done(int(record.name == "kill"), "said"), written.append, now=lambda: 5.0
    )
    assert result["failed"] and result["msg"] == "not healed: kill on n12: said"
    assert [(each.fault_id, each.event, each.proved) for each in written] == [
        ("02-kill/n12", "healing", None),
        ("02-kill/n12", "failed", False),
        ("01-cut/n12", "healing", None),
        ("01-cut/n12", "healed", True),
    ]


def test_nothing_to_heal_is_harmless() -> None:
    result = heal_all([], lambda record: Done(1, ""), lambda written: None)
    assert not result.get("failed") and result["msg"] == "no fault was open"


def test_a_name_of_the_suite_may_be_of_a_fault_that_never_was() -> None:
    records = folded(intended())
    with pytest.raises(UsageError, match="no fault is named 'later'"):
        wanted(records, "n12", "later")
    assert wanted(records, "n12", "later", checked=True) == []


@pytest.mark.parametrize(
    ("others", "name", "cut"),
    [
        ([], "", set()),
        ([("02-also/n11", "n11", "also", "partition")], "cut", {"n11"}),
        ([("02-also/n11", "n11", "also", "partition")], "", set()),
        ([("01-cut/n11", "n11", "cut", "partition")], "cut", set()),
        ([("02-also/n12", "n12", "also", "packet_loss")], "", {"n12"}),
        ([("02-off/n11", "n11", "off", "crash")], "cut", {"n11"}),
        ([("02-dead/n11", "n11", "dead", "kill")], "cut", set()),
        ([("02-own/n11", "n11", "own", "of a package that is gone")], "cut", set()),
    ],
)
def test_who_cannot_answer_though_a_partition_is_healed(
    others: list[tuple[str, str, str, str]], name: str, cut: set[str]
) -> None:
    """What is healed at the same time elsewhere must answer; what is still cut cannot."""
    more = [
        intended(fault_id, node=node, name=title, fault=kind, step=fault_id.partition("/")[0])
        for fault_id, node, title, kind in others
    ]
    records = folded(intended(), *more)
    assert still_cut(records, records[0], name) == cut
    healed = folded(intended(), *more, *(line("healed", fault_id=each[0], proved=True) for each in others))
    assert still_cut(healed, healed[0], name) == set()
