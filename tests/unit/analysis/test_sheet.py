"""A comparison as a table: the figures of both sides, the answer, and what only one side has."""

from __future__ import annotations

import csv
import io
from random import Random

import pytest

from e2e_ansible.analysis.proportion import Tally
from e2e_ansible.analysis.rule import Method, Outcome, Rule
from e2e_ansible.analysis.series import Series, SeriesSet
from e2e_ansible.analysis.sheet import Answer, Sheet, sheet, sheet_csv, verdict_rows
from e2e_ansible.analysis.soak_analysis import to_compare
from e2e_ansible.analysis.soak_series import gather
from tests.unit.soak_folders import SimulatedSoak, Trouble

RATIO = Rule(method=Method.RATIO)


def soak(name: str, **settings: object) -> SeriesSet:
    return to_compare(name, gather(SimulatedSoak(**settings).records(name)))  # type: ignore[arg-type]


def baselines(count: int, seed: int = 0) -> list[SeriesSet]:
    random = Random(seed)
    return [
        soak(f"b{number}", seed=100 * seed + number, between=random.gauss(1, 0.02)) for number in range(count)
    ]


def answers(found: Sheet) -> dict[str, Answer]:
    return {row.metric: row.answer for row in found.rows}


def test_a_planted_regression_is_found_and_nothing_else() -> None:
    new = soak("new", seed=50, slower={"activation": 1.4})
    found = sheet(new, baselines(10, 3), Rule(), suite="switchover.yaml")
    worse = {metric for metric, answer in answers(found).items() if answer is Answer.WORSE}
    assert "phase activation" in worse
    assert worse <= {"phase activation", "cycle"}
    assert (found.outcome, found.exit_code) == (Outcome.REGRESSION, 1)
    row = next(row for row in found.rows if row.metric == "phase activation")
    assert row.expected is not None and row.change is not None
    assert row.expected[0] < 6 < row.expected[1] < row.change.after


def test_runs_that_did_not_change_are_hardly_ever_called_worse() -> None:
    """The promise is 1 % of comparisons, of all their metrics together; of 6 more than 1 are one in 700."""
    old, alarms = baselines(10, 20), 0
    for seed in range(6):
        found = sheet(soak("new", seed=7000 + seed), old, Rule())
        alarms += Answer.WORSE in answers(found).values()
    assert alarms <= 1


def test_a_repair_is_seen_as_better() -> None:
    old = [soak(f"b{number}", seed=number, slower={"activation": 1.6}) for number in range(10)]
    found = sheet(soak("new", seed=60), old, Rule())
    assert answers(found)["phase activation"] is Answer.BETTER
    assert found.exit_code == 3, "rates of 30 cycles are not decided"


def test_figures_are_those_of_all_values_of_the_baselines() -> None:
    old = [
        SeriesSet(name="a", series={"m": Series(values=(1, 2))}),
        SeriesSet(name="b", series={"m": Series(values=(3,))}),
    ]
    found = sheet(SeriesSet(name="c", series={"m": Series(values=(4, 6))}), old, Rule())
    mean, middle, *_ = found.rows[0].figures
    assert (mean.name, mean.baseline, mean.current, mean.delta, mean.ratio) == ("mean", 2, 5, 3, 2.5)
    assert (middle.name, middle.baseline, middle.current) == ("P50", 2, 5)
    assert [one.name for one in found.rows[0].figures] == ["mean", "P50", "P90", "P95", "P99"]
    assert found.rows[0].expected is None, "two baselines tell no noise"


def test_a_baseline_of_nothing_has_no_ratio() -> None:
    old = SeriesSet(name="a", series={"m": Series(values=(0, 0))})
    row = sheet(SeriesSet(name="b", series={"m": Series(values=(1,))}), [old], Rule()).rows[0]
    assert (row.figures[0].delta, row.figures[0].ratio) == (1, None)


def test_what_only_one_side_has_is_shown() -> None:
    old = SeriesSet(name="a", series={"gone": Series(values=(1,))}, rates={"success": Tally(passed=3)})
    new = SeriesSet(name="b", series={"new": Series(values=(2,))})
    found = sheet(new, [old], Rule())
    assert answers(found) == {
        "gone": Answer.GONE,
        "success": Answer.GONE,
        "new": Answer.NEW,
    }
    assert (found.rows[0].figures[0].baseline, found.rows[0].figures[0].current) == (1, None)
    assert found.exit_code == 3


def test_the_ratio_rule_by_name() -> None:
    old = baselines(1, 8)
    found = sheet(
        soak("new", seed=51, slower={"activation": 1.5}, troubles={3: Trouble(), 9: Trouble()}), old, RATIO
    )
    assert answers(found)["phase activation"] is Answer.WORSE
    assert answers(found)["success"] is Answer.WORSE, "2 of 30 are more than 5 points"
    assert answers(found)["phase preflight"] is Answer.SAME
    assert Answer.INCONCLUSIVE not in answers(found).values()


def test_verdicts_of_ordinary_runs() -> None:
    now = {"a": "fail", "b": "pass", "c": "pass", "d": "unknown", "e": "fail", "new": "pass"}
    before = [
        {"a": "pass", "b": "fail", "c": "pass", "d": "pass", "e": "fail"},
        {"a": "pass", "b": "unknown", "c": "pass", "d": "pass", "e": "pass"},
    ]
    rows = {one.name: one for one in verdict_rows(now, before, ["a"])}
    assert {name: one.answer for name, one in rows.items()} == {
        "a": Answer.WORSE,
        "b": Answer.BETTER,
        "d": Answer.INCONCLUSIVE,
        "e": Answer.INCONCLUSIVE,
    }
    assert (rows["a"].before, rows["a"].decides, rows["b"].decides) == ("2 of 2 passed", True, False)
    empty = [SeriesSet(name="old", series={"s": Series(values=(1,))})]
    found = sheet(SeriesSet(name="new"), empty, Rule(), verdicts=[rows["a"]])
    assert found.exit_code == 1
    assert sheet(SeriesSet(name="new"), empty, Rule(), verdicts=[rows["b"]]).exit_code == 3


def test_the_answer_of_a_comparison_without_change_is_0() -> None:
    many = [SeriesSet(name=str(one), series={"m": Series(values=(10 + one / 100,))}) for one in range(20)]
    found = sheet(SeriesSet(name="new", series={"m": Series(values=(10.1,))}), many, Rule())
    assert (found.outcome, found.exit_code) == (Outcome.NO_CHANGE, 0)


def test_csv_has_a_line_per_figure() -> None:
    rows = verdict_rows({"t": "fail"}, [{"t": "pass"}], ["t"])
    found = sheet(
        SeriesSet(
            name="new", series={"m": Series(values=(2,))}, rates={"success": Tally(passed=1, failed=1)}
        ),
        [SeriesSet(name="old", series={"m": Series(values=(1,))}, rates={"success": Tally(passed=2)})],
        RATIO,
        verdicts=tuple(rows),
    )
    lines = list(csv.DictReader(io.StringIO(sheet_csv(found))))
    by_name = {(one["metric"], one["statistic"]): one for one in lines}
    assert len(lines) == 5 + 1 + 1
    assert (by_name["m", "P95"]["ratio"], by_name["m", "P95"]["verdict"]) == ("2", "worse")
    assert (by_name["success", "rate"]["current"], by_name["success", "rate"]["delta"]) == ("0.5", "-0.5")
    assert by_name["t", "verdict"]["current"] == "fail"


def test_without_a_baseline_there_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="at least one baseline"):
        sheet(SeriesSet(name="new"), [], Rule())
