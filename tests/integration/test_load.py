"""Loads on real nodes: what is told is what the database has counted, and nothing of a load is left or given away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from real_runs import Desk, a_desk, one_test, traces, write_suite
from role_nodes import Cluster
from test_secrets import places, secrets_of, watched_commands

from e2e_ansible.deadline import Deadline
from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.load.result import LoadResult
from e2e_ansible.providers.registry import get_provider
from e2e_ansible.verdict import Cause, Verdict

pytestmark = pytest.mark.nodes

Step = dict[str, Any]
#: The sum of what it prints, one number per line, and the longest of them as a latency.
PLUGIN = """
from e2e_ansible.load.base import LoadOutput, LoadTool
from e2e_ansible.load.registry import register
from e2e_ansible.load.result import Latency, LoadResult


@register
class Adder(LoadTool):
    name = "adder"
    summary = "Adds up what was printed"

    def read(self, output: LoadOutput) -> LoadResult:
        numbers = [int(line) for line in output.stdout.split()]
        return LoadResult(
            tool=self.name,
            workload=output.files["workload"].strip(),
            transactions=sum(numbers),
            latency=Latency(p99=float(max(numbers))),
            exit_code=output.exit_code,
            complete=output.exit_code == 0,
        )
"""
SCRIPTS = {
    "clash.sql": "BEGIN ISOLATION LEVEL SERIALIZABLE;\nUPDATE pgbench_branches SET bbalance = bbalance + 1;\n"
    "SELECT pg_sleep(0.002);\nEND;\n",
    "sleep.sql": "SELECT pg_sleep(1.95);\n",
    "count.sql": "SELECT 1;\n",
}
#: Waits until clients of pgbench are at work, then does the rest.
AT_WORK = """
cd /; q() { runuser -u postgres -- psql -XAtqc "$1"; }
until [ "$(q "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench' AND state = 'active'")" -gt 0 ]
do sleep 0.1; done
"""
KILL = "kill -KILL $(head -1 /var/lib/postgresql/*/main/postmaster.pid)\n"
START = """
while systemctl is-active --quiet 'postgresql@*'; do sleep 0.1; done
systemctl restart "$(systemctl list-units --all --plain --no-legend 'postgresql@*' | cut -d' ' -f1)"
"""


def sql(name: str, statement: str, database: str = "load") -> Step:
    words = f'cd / && runuser -u postgres -- psql -XAtqd {database} -c "$1"'
    return {
        "step": "custom_command",
        "name": name,
        "target_node": "n11",
        "custom_command": ["sh", "-c", words, "sh", statement],
        "register": name,
    }


def on_n11(name: str, text: str) -> Step:
    return {
        "step": "custom_command",
        "name": name,
        "target_node": "n11",
        "custom_command": ["sh", "-c", text],
    }


def pgbench(name: str, **options: Any) -> Step:
    return {"step": "run_pgbench", "name": name, "initialise": False, "clients": 2, **options}


def in_spite(step: Step) -> Step:
    """The test goes on when it fails."""
    rescue = [on_n11(f"{step['name']}-failed", "true")]
    return {"step": "group", "steps": [step], "rescue": rescue, "on_rescue": "continue"}


RED: list[Step] = [
    pgbench(
        "slow", transactions=20, limits={"p95_ms": 0.0001, "p99_ms": 0.0001, "per_second": 1_000_000_000}
    ),
    pgbench("clashing", scripts=["clash.sql"], clients=4, transactions=30, limits={"error_rate": 0.001}),
    pgbench("silent", scripts=["sleep.sql"], clients=1, transactions=2, limits={"outage_seconds": 0.9}),
]
GREEN = {"p95_ms": 60_000.0, "p99_ms": 60_000.0, "per_second": 0.1, "error_rate": 0.0, "outage_seconds": 30.0}
ADDER: Step = {
    "step": "run_load",
    "tool": "adder",
    "command": ["sh", "-c", 'seq 10; echo "$PGDATABASE" >workload; psql -XAtqc "SELECT current_user" >&2'],
    "keep": ["workload"],
}
STEPS: list[Step] = [
    {"step": "deploy"},
    pgbench("filled", initialise=True, duration_seconds=1, limits=GREEN),
    sql("history", "SELECT count(*) FROM pgbench_history"),
    pgbench("mixed", scripts=["count.sql", "clash.sql"], transactions=100, clients=1),
    # What follows goes on beside it, so that it lasts long enough for a slow restart and costs no time.
    pgbench(
        "ridden-over", duration_seconds=15, reconnect=True, background=True, limits={"outage_seconds": 60}
    ),
    on_n11("restart", AT_WORK + KILL + START),
    *map(in_spite, RED),
    {**ADDER, "name": "adds", "limits": {"p99_ms": 10.0}},
    in_spite({**ADDER, "name": "adds-red", "limits": {"p99_ms": 9.9}}),
    {"step": "wait", "for": ["ridden-over"]},
    pgbench("lost", duration_seconds=60, background=True),
    on_n11("kill", AT_WORK + KILL),
    {"step": "wait", "for": ["lost"]},
]


@dataclass
class Loaded:
    """A run that has ended; `places` are where its password was found."""

    desk: Desk
    test: TestResult
    run: Path
    places: dict[str, list[str]]

    def step(self, name: str) -> StepResult:
        (found,) = [step for step in self.test.workflow_steps if step.id.partition("-")[2] == name]
        return found

    def load(self, name: str) -> LoadResult:
        found = self.step(name).load
        assert found is not None, self.step(name).error
        return found


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    with a_desk(tmp_path_factory.mktemp("load")) as desk:
        (desk.folder / "e2e_plugins").mkdir()
        (desk.folder / "e2e_plugins/adder.py").write_text(PLUGIN)
        for name, text in SCRIPTS.items():
            (desk.folder / name).write_text(text)
        write_suite(desk.folder / "suite.json", t=one_test(STEPS, clients=1))
        with watched_commands() as commands:
            done = desk.call("run", "suite.json", "--keep", "always", "--allow-plugins")
        run, (test,) = desk.newest(), desk.result().tests
        print(done.out)
        secrets = secrets_of(desk.home / "deployments" / test.deployment_id)
        found = {name: places(secret, run, done, commands) for name, secret in secrets.items()}
        yield Loaded(desk, test, run, found)


def test_what_is_told_is_what_the_database_has_counted(loaded: Loaded) -> None:
    load, step = loaded.load("filled"), loaded.step("filled")
    assert step.verdict is Verdict.PASS, step.error
    history = loaded.step("history").registered
    assert history is not None
    assert load.transactions == int(str(history["stdout"]))
    assert load.transactions > 0
    assert sum(each.count for each in load.intervals) == load.transactions
    assert load.per_second == pytest.approx(load.transactions / load.seconds, rel=0.2)
    assert load.latency.p50 <= load.latency.p95 <= load.latency.p99 <= load.latency.maximum
    assert (load.host, load.failed, load.exit_code) == ("c11", 0, 0)
    mixed = loaded.load("mixed")
    assert [each.name for each in mixed.by_name] == ["count.sql", "clash.sql"]
    assert sum(each.count for each in mixed.by_name) == mixed.transactions == 100


@pytest.mark.parametrize("step", RED, ids=lambda step: str(step["name"]))
def test_each_limit_goes_red_on_a_real_database(loaded: Loaded, step: Step) -> None:
    found = loaded.step(step["name"])
    assert (found.verdict, found.cause) == (Verdict.FAIL, Cause.PRODUCT), found.error
    print(found.error)
    assert [line.partition(":")[0] for line in str(found.error).splitlines()] == list(step["limits"])


def test_a_tool_of_the_suite_is_read_when_it_ran_and_its_limits_hold(loaded: Loaded) -> None:
    load = loaded.load("adds")
    assert (load.transactions, load.workload, loaded.step("adds").verdict) == (55, "load", Verdict.PASS)
    assert loaded.step("adds-red").verdict is Verdict.FAIL
    kept = loaded.run / "tests/t/steps" / loaded.step("adds").id / "load-adder"
    assert (kept / "stderr.txt").read_text() == "e2e\n", "it has reached the database with the password"


def test_a_load_rides_over_a_crash_and_tells_its_outage(loaded: Loaded) -> None:
    step, load = loaded.step("ridden-over"), loaded.load("ridden-over")
    assert step.verdict is Verdict.PASS, step.error
    assert "started" in load.meaning
    assert load.failed is not None
    assert load.failed > 0


def test_a_database_that_was_killed_makes_the_load_fail_and_what_it_did_is_told(loaded: Loaded) -> None:
    step, load = loaded.step("lost"), loaded.load("lost")
    assert (step.verdict, step.cause, load.exit_code) == (Verdict.FAIL, Cause.PRODUCT, 2), step.error
    assert "lost the database" in str(step.error)
    assert load.transactions


def test_no_password_is_in_the_run_on_a_screen_or_in_a_command(loaded: Loaded) -> None:
    assert loaded.places == {name: [] for name in loaded.places}
    assert "client_password" in loaded.places


def test_judged_again_without_the_code_of_the_suite_it_is_the_same(loaded: Loaded) -> None:
    before = (loaded.run / "result.json").read_bytes()
    (loaded.desk.folder / "e2e_plugins/adder.py").unlink()
    done = loaded.desk.call("report", loaded.run.name)
    assert (loaded.run / "result.json").read_bytes() == before
    assert "adder" in done.out


# ---- nothing is left of a load that was ended


def _loads(run: str) -> list[str]:
    """Processes anywhere on this machine, its nodes included, that have this name for their connections."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"PGAPPNAME={run}".encode() in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
        except OSError:  # it has ended
            continue
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_nothing_of_a_load_is_left_on_its_node(desk: Desk, how: signal.Signals) -> None:
    mark = f"mark-{os.getpid()}-{how.name}"
    endless: Step = {
        "step": "run_load",
        "tool": "pgbench",
        "command": ["sh", "-c", "psql -c 'SELECT pg_sleep(3000)' || sleep 3000"],
        "env": {"PGAPPNAME": mark},
        "duration_seconds": 3000.0,
    }
    write_suite(desk.folder / "suite.json", t=one_test([{"step": "deploy"}, endless]))
    with desk.start("run", "suite.json", "--keep", "always") as process:
        Deadline(120).wait_for(lambda: len(_loads(mark)) > 1, interval=0.05)
        os.killpg(process.pid, how) if how is signal.SIGKILL else process.send_signal(how)
        process.communicate(timeout=120)
    Deadline(60).wait_for(lambda: _loads(mark) == [], interval=0.05)
    (test,) = json.loads((desk.newest() / "run.json").read_text())["tests"]
    nodes = Cluster(get_provider("local"), test["deployment"], desk.folder)
    Deadline(60).wait_for(lambda: nodes.try_ssh("n11", "ls -d /tmp/e2e-load*").returncode != 0, interval=0.1)
    if how is signal.SIGKILL:
        again = desk.call("resume")
        assert again.code == 3, again.said
        assert "may not be repeated" in again.said
    assert subprocess.run(["pgrep", "-f", mark], check=False, capture_output=True).stdout == b""
    assert traces(desk.newest()) != [], "the nodes were kept"
