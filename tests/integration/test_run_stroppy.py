"""`run_stroppy` on a real node: what it tells is what the database has, and what is wrong goes red.

The program is the real one where it can be had, else a double; the summary of the tests says which, and why.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from real_runs import Desk, a_desk, one_test, write_suite
from which_stroppy import Stroppy

from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.load.result import LoadResult
from e2e_ansible.verdict import Cause, Verdict

pytestmark = pytest.mark.nodes

Step = dict[str, Any]
#: Waits until virtual users are at work.
AT_WORK = """
cd /; q() { runuser -u postgres -- psql -XAtqd load -c "$1"; }
counted="SELECT sum(n_tup_upd) > 20 FROM pg_stat_user_tables WHERE relname IN ('warehouse', 'tpcc_accounts')"
until [ "$(q "$counted")" = t ]; do sleep 0.1; done
"""
KILL = "kill -KILL $(head -1 /var/lib/postgresql/*/main/postmaster.pid)\n"
START = """
while systemctl is-active --quiet 'postgresql@*'; do sleep 0.1; done
systemctl restart "$(systemctl list-units --all --plain --no-legend 'postgresql@*' | cut -d' ' -f1)"
"""


def run_stroppy(name: str, **options: Any) -> Step:
    return {"step": "run_stroppy", "name": name, "workload": "tpcc/tx", "vus": 2, "on": "n11", **options}


def on_n11(name: str, text: str, **more: Any) -> Step:
    return {
        "step": "custom_command",
        "name": name,
        "target_node": "n11",
        "custom_command": ["sh", "-c", text],
        **more,
    }


def sql(name: str, statement: str, database: str = "load") -> Step:
    command = f'cd / && runuser -u postgres -- psql -XAtqd {database} -c "{statement}"'
    return on_n11(name, command, register=name)


def in_spite(step: Step) -> Step:
    """The test goes on when it fails."""
    rescue = [on_n11(f"{step['name']}-failed", "true")]
    return {"step": "group", "steps": [step], "rescue": rescue, "on_rescue": "continue"}


def seconds(stroppy: Stroppy) -> tuple[int, int]:
    """Of the first load, and of the one that is ridden over; the line with k6 takes its set-up from this time."""
    return (12, 30) if stroppy.dialect == "k6" else (3, 15)


def steps(short: int, long: int) -> list[Step]:
    enough: Step = {"error_rate": 0.5, "outage_seconds": 60, "per_second": 0.1}
    never: Step = {"p99_ms": 0.0001, "per_second": 1e9}
    return [
        {"step": "deploy"},
        {"step": "install", "service": "stroppy", "targets": ["n11"]},
        run_stroppy("load", duration_seconds=short, limits=enough),
        sql("rows", "SELECT count(*) FROM history"),
        in_spite(run_stroppy("slow", workload="tpcb/tx", iterations=20, limits=never)),
        in_spite(
            run_stroppy("wrong", iterations=1, binary="/usr/local/bin/stroppy", params={"retry-atempts": 2})
        ),
        sql("forget", "SELECT pg_stat_reset()"),
        run_stroppy("ridden-over", duration_seconds=long, background=True, limits={"outage_seconds": 60}),
        on_n11("restart", AT_WORK + KILL + START),
        {"step": "wait", "for": ["ridden-over"]},
        run_stroppy("from-here", workload="tpcb/tx", on="controller", database="here", iterations=20),
        sql("counted", "SELECT count(*) FROM pgbench_history", "here"),
        run_stroppy("dead", via="n11:5999", duration_seconds=2, steps=["workload"]),
    ]


@dataclass
class Loaded:
    """A run that has ended."""

    stroppy: Stroppy
    desk: Desk
    test: TestResult
    run: Path

    def step(self, name: str) -> StepResult:
        (found,) = [step for step in self.test.workflow_steps if step.id.partition("-")[2] == name]
        return found

    def load(self, name: str) -> LoadResult:
        found = self.step(name).load
        assert found is not None, self.step(name).error
        print(found.model_dump_json(exclude={"intervals", "by_name"}))
        return found


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, stroppy: Stroppy) -> Iterator[Loaded]:
    with a_desk(tmp_path_factory.mktemp("stroppy")) as desk:
        desk.variables["PATH"] = f"{Path(stroppy.path).parent}{os.pathsep}{os.environ['PATH']}"
        parameters = {"stroppy": stroppy.parameters, "labels": {"run_stroppy": ["n11"]}}
        write_suite(desk.folder / "suite.json", t=one_test(steps(*seconds(stroppy)), **parameters))
        done = desk.call("run", "suite.json", "--keep", "always", seconds=900)
        print(done.out, done.err)
        yield Loaded(stroppy, desk, desk.result().tests[0], desk.newest())


def test_the_program_is_what_the_summary_says(stroppy: Stroppy) -> None:
    said = subprocess.run([stroppy.path, "version"], capture_output=True, text=True, check=True).stdout
    print(said)
    assert ("stand-in" in said) is not stroppy.real


def test_what_is_told_is_what_the_database_has(loaded: Loaded) -> None:
    step, load = loaded.step("load"), loaded.load("load")
    assert step.verdict is Verdict.PASS, step.error
    assert load.complete
    assert load.dialect == loaded.stroppy.dialect
    rows = loaded.step("rows").registered
    assert rows is not None
    payments = {each.name: each.count for each in load.by_name}["payment"]
    if (
        loaded.stroppy.real
    ):  # it writes a row of history for each payment, and counts those too that it tried again
        assert abs(int(str(rows["stdout"])) - payments) <= 5 + (load.retried or 0) + (load.failed or 0)
    else:
        assert int(str(rows["stdout"])) == load.transactions
    assert sum(each.count for each in load.by_name) == pytest.approx(load.transactions, rel=0.05)
    assert 0 < sum(each.count for each in load.intervals) <= (load.transactions or 0) * 1.05
    assert load.per_second == pytest.approx((load.transactions or 0) / (load.seconds or 1))


def test_its_outputs_are_kept_whole(loaded: Loaded) -> None:
    folder = loaded.run / "tests/t/steps" / loaded.step("load").id / "load-stroppy"
    assert "stroppy-run.json" in {path.name for path in folder.iterdir()}
    texts = "".join(path.read_text() for path in folder.iterdir())
    assert "'load_data' step" in texts


def test_limits_that_are_exceeded_go_red(loaded: Loaded) -> None:
    step = loaded.step("slow")
    assert (step.verdict, step.cause) == (Verdict.FAIL, Cause.PRODUCT)
    assert "p99_ms" in str(step.error)


def test_a_parameter_that_it_does_not_have_is_refused_before_the_load(loaded: Loaded) -> None:
    step, load = loaded.step("wrong"), loaded.load("wrong")
    assert step.verdict is Verdict.FAIL
    assert "did you mean 'retry-attempts'?" in str(step.error)
    assert load.transactions is None


def test_it_is_refused_with_its_line_when_the_program_is_at_hand(loaded: Loaded) -> None:
    desk = loaded.desk
    text = (desk.folder / "suite.json").read_text()
    (desk.folder / "typing.json").write_text(text.replace('"workload": "tpcb/tx"', '"workload": "tpcd/tx"'))
    done = desk.call("validate", "typing.json")
    assert done.code != 0
    line = text[: text.index("tpcb/tx")].count("\n") + 1
    assert f"typing.json:{line}" in done.said
    assert "no workload 'tpcd/tx'" in done.said
    assert "no parameter 'retry-atempts'" not in done.said, (
        "a step with a program of its own is asked when it runs"
    )


def test_a_load_goes_on_after_a_crash_and_its_errors_are_counted(loaded: Loaded) -> None:
    step, load = loaded.step("ridden-over"), loaded.load("ridden-over")
    assert step.verdict is Verdict.PASS, step.error
    assert load.failed
    assert load.transactions
    assert any(each.count == 0 for each in load.intervals)
    assert load.intervals[-1].start + load.intervals[-1].seconds > seconds(loaded.stroppy)[1] / 2


def test_it_runs_on_the_controller_too(loaded: Loaded) -> None:
    step, load = loaded.step("from-here"), loaded.load("from-here")
    assert step.verdict is Verdict.PASS, step.error
    assert (load.complete, load.transactions, load.dialect) == (True, 20, loaded.stroppy.dialect)
    rows = loaded.step("counted").registered
    assert rows is not None
    assert int(str(rows["stdout"])) == 20


def test_a_database_that_is_not_there_makes_it_red_and_says_so(loaded: Loaded) -> None:
    step, load = loaded.step("dead"), loaded.load("dead")
    assert (step.verdict, step.cause) == (Verdict.FAIL, Cause.PRODUCT), step.error
    assert load.exit_code == 1
    assert load.transactions is None
