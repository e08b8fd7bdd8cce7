"""The numbers of a soak: what counts, what is apart, and what a resumed soak has told twice."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import pytest

from e2e_ansible.analysis.alerts import count_alerts, moment
from e2e_ansible.analysis.column import Column
from e2e_ansible.analysis.failures import MOST, FailedCycles
from e2e_ansible.analysis.proportion import Tally
from e2e_ansible.analysis.soak_series import gather
from e2e_ansible.analysis.standing import Standing, standing
from e2e_ansible.soak.records import CycleEnd, CycleStart, FailureInjection, PhaseResult, Record
from e2e_ansible.verdict import Cause, Verdict
from tests.unit.soak_folders import STEPS, SimulatedSoak, Trouble, alert, injection


def soak(**settings: object) -> list[Record]:
    return list(SimulatedSoak(**settings).records("run"))  # type: ignore[arg-type]


@pytest.mark.parametrize(("verdict", "cause"), list(product([*Verdict, None], [*Cause, None])))
def test_only_what_the_product_did_counts_against_it(verdict: Verdict | None, cause: Cause | None) -> None:
    found = standing(verdict is Verdict.PASS, verdict, cause)
    if cause is Cause.INTERRUPT:
        assert found is Standing.APART
    elif verdict is Verdict.PASS:
        assert found is Standing.PASSED
    elif verdict is Verdict.UNKNOWN:
        assert found is Standing.UNKNOWN
    elif cause in (Cause.PRODUCT, None):
        assert found is Standing.FAILED
    else:
        assert found is Standing.APART


def test_a_cycle_that_says_two_things_is_no_pass_and_one_that_tested_nothing_is_unknown() -> None:
    assert standing(True, Verdict.FAIL, Cause.PRODUCT) is Standing.FAILED
    assert standing(True, Verdict.UNKNOWN, None) is Standing.UNKNOWN
    assert standing(None, None, None) is Standing.UNKNOWN
    assert standing(True, None, None) is Standing.PASSED
    assert standing(False, None, None) is Standing.FAILED


def test_cycles_phases_and_steps_are_counted() -> None:
    found = gather(
        soak(
            cycles=10,
            troubles={
                2: Trouble(),
                4: Trouble("preflight", cause=Cause.INFRASTRUCTURE),
                6: Trouble("finalization", Verdict.UNKNOWN, None),
            },
        )
    )
    assert found.tally() == Tally(passed=7, failed=1, unknown=1)
    assert found.tally(apart=True) == Tally(passed=7, failed=1, unknown=2)
    assert found.count(Standing.APART) == 1
    assert found.swapped == 7
    assert found.phase_tally("preflight") == Tally(passed=9), "cycle 4 says nothing about the product"
    assert found.phase_tally("activation") == Tally(passed=8, failed=1)
    assert found.phase_tally("finalization") == Tally(passed=7, unknown=1)
    assert found.phase_tally("nothing") == Tally()
    assert len(found.phases["preflight"]) == 10
    assert len(found.phases["preflight"].good) == 9
    assert found.steps[False][STEPS["activation"]] == {Verdict.PASS: 8, Verdict.FAIL: 1}
    assert [one.cycle for one in found.failures.found] == [2, 4, 6]
    assert found.failures.found[0].step == STEPS["activation"]
    assert found.verdicts[Verdict.FAIL, Cause.PRODUCT] == 1
    assert (found.looks, found.blind_looks, found.unfinished) == (10, 0, [])


def test_what_a_resumed_soak_tells_again_counts_once_and_as_it_was_told_last() -> None:
    records = soak(cycles=3, troubles={3: Trouble()})
    whole = gather(records)
    last = [record for record in records if record.cycle_num == 3]
    again = gather([*records, *last])
    assert (again.tally(), again.steps) == (whole.tally(), whole.steps)
    assert again.cycles == whole.cycles
    better = last[-1].model_copy(update={"success": True, "verdict": Verdict.PASS, "cause": None})
    assert gather([*records, better]).tally() == Tally(passed=3)


def test_a_kill_inside_a_cycle_loses_no_phase_of_it() -> None:
    records = soak(cycles=2)
    cut = next(
        place for place, one in enumerate(records) if one.cycle_num == 2 and isinstance(one, PhaseResult)
    )
    start = next(one for one in records if one.cycle_num == 2 and isinstance(one, CycleStart))
    resumed = gather([*records[: cut + 1], start, *records[cut + 1 :]])
    assert resumed.phases == gather(records).phases


def test_a_cycle_that_never_ended_is_told_and_not_counted() -> None:
    records = [one for one in soak(cycles=3) if not (isinstance(one, CycleEnd) and one.cycle_num == 3)]
    found = gather(records)
    assert (found.unfinished, found.tally()) == ([3], Tally(passed=2))
    assert gather([]).unfinished == []


def test_cycles_out_of_order_and_numbers_that_are_none_are_refused() -> None:
    records = soak(cycles=3)
    with pytest.raises(ValueError, match="cycle 1 comes after cycle 3"):
        gather([*records, records[0]])
    for wrong in (math.nan, math.inf, -1.0):
        with pytest.raises(ValueError, match="is no number of seconds"):
            gather([records[-1].model_copy(update={"duration_seconds": wrong})])


def test_outages_are_those_of_the_client_that_was_cut_off_longest() -> None:
    end = soak(cycles=1)[-1]
    assert isinstance(end, CycleEnd)
    client = end.clients["shop"]
    two = {
        "shop": client.model_copy(update={"writes": (1.0, 2.0), "reads": ()}),
        "audit": client.model_copy(update={"writes": (2.5,), "reads": (0.5,), "lost": None}),
        "idle": client.model_copy(update={"writes": (), "reads": (), "operations": 0}),
    }
    found = gather([end.model_copy(update={"clients": two})])
    assert [*found.outages["writes"]] == [(1, 3.0)]
    assert [*found.outages["reads"]] == [(1, 0.5)]
    assert found.not_examined == 1
    assert not len(gather([end.model_copy(update={"clients": {"idle": two["idle"]}})]).outages["writes"])


def test_a_step_that_was_left_out_is_not_counted() -> None:
    end = soak(cycles=1)[-1]
    assert isinstance(end, CycleEnd)
    name, figure = next(iter(end.steps.items()))
    steps = {**end.steps, name: figure.model_copy(update={"verdict": None})}
    assert set(gather([end.model_copy(update={"steps": steps})]).steps[False]) == set(end.steps) - {name}


def test_lost_rows_have_their_cycle() -> None:
    assert gather(soak(cycles=5, lost={2: 3, 4: 1})).lost == {2: 3, 4: 1}


def test_injections_tell_which_cycles_were_disturbed() -> None:
    found = gather(
        soak(
            cycles=4,
            injected={
                1: injection("pause_backup", "activation"),
                2: injection("pause_backup", "activation", success=False),
                3: injection("delay_restore", "preflight", undone=False),
            },
        )
    )
    assert [*found.disturbed] == [1, 0, 1, 0]
    assert found.tally(disturbed=True).trials == found.tally(disturbed=False).trials == 2
    assert found.injections[3, "delay_restore", "preflight", ""] == (True, False)
    late = FailureInjection(
        timestamp="", run_id="", cycle_num=3, cycle_id="", scenario="delay_restore", phase="preflight",
        success=True, undone=True,
    )  # fmt: skip
    healed = gather([*soak(cycles=3), late])
    assert healed.injections[3, "delay_restore", "preflight", ""] == (True, True)


def test_an_alert_is_one_episode_from_its_two_lines() -> None:
    found = gather(
        soak(
            cycles=6,
            alerts={
                2: alert("LAG", "activation"),
                3: alert("LAG", "preflight", context="site_a"),
                5: alert("BACKUP", "preflight", ended=False),
            },
        )
    ).alerts.episodes
    assert [(one.type, one.first_cycle, one.last_cycle) for one in found] == [
        ("LAG", 2, 2),
        ("LAG", 3, 3),
        ("BACKUP", 5, None),
    ]
    backup, lag = count_alerts(found)
    assert (backup.open, backup.seconds, lag.episodes, lag.seconds, lag.longest) == (1, 0, 2, 24, 12)
    assert lag.contexts == {"site_a": 1, "site_b": 1}
    assert lag.phases == {"activation": 1, "preflight": 1}


def test_times_without_a_zone_are_utc_and_others_are_refused() -> None:
    assert (
        moment("2026-11-21T12:00:00") == moment("2026-11-21T12:00:00Z") == moment("2026-11-21T13:00:00+01:00")
    )
    records = soak(cycles=1, alerts={1: alert("LAG", "activation")})
    wrong = [
        one.model_copy(update={"alert": one.alert.model_copy(update={"started": "yesterday"})})
        for one in records
        if hasattr(one, "alert")
    ]
    with pytest.raises(ValueError, match="yesterday"):
        gather(wrong)


def test_failures_are_told_up_to_a_number_and_their_errors_are_cut() -> None:
    end = soak(cycles=1, troubles={1: Trouble(error="x" * 5000)})[-1]
    assert isinstance(end, CycleEnd)
    failures = FailedCycles()
    for _ in range(MOST + 3):
        failures.add(end, Standing.FAILED)
    failures.add(end.model_copy(update={"steps": {}}), Standing.FAILED)
    assert (len(failures.found), failures.left_off) == (MOST, 4)
    assert len(failures.found[0].error) < 700


def test_a_column_knows_its_worst_cycle() -> None:
    column = Column()
    assert column.worst is None
    for cycle, value in ((1, 2.0), (2, 5.0), (3, 5.0)):
        column.add(cycle, value, cycle != 2)
    assert column.worst == (2, 5.0)
    assert column.good == (2.0, 5.0)


def test_what_is_kept_of_a_cycle_is_small() -> None:
    """Records are taken one by one, and none stays."""
    alive: list[int] = []

    def one_by_one() -> Iterator[Record]:
        for record in SimulatedSoak(cycles=50).records("run"):
            alive.append(id(record))
            yield record

    found = gather(one_by_one())
    arrays = [found.cycles, *found.phases.values(), *found.outages.values()]
    assert sum(len(one) * 17 for one in arrays) == 50 * 17 * 8
    assert found.records == len(alive)
