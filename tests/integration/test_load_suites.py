"""The suites of load at small scale on real nodes: the nightly one side by side, and a failover under load.

Stroppy is the real one where it can be had, else a double; the summary of the tests says which, and why.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from real_runs import a_desk, traces
from which_stroppy import Stroppy

from e2e_ansible.judge.result import TestResult
from e2e_ansible.verdict import Verdict

pytestmark = pytest.mark.nodes

SUITES = Path(__file__).parents[2] / "suites"
FROM_A_COMMIT = "stroppy: {commit: d8fb5897ca07}"


def small(name: str, folder: Path, stroppy: Stroppy, seconds: tuple[int, int]) -> None:
    """A suite of the project with this Stroppy, and with the second number of seconds for the first."""
    text = (SUITES / name).read_text(encoding="utf-8")
    changes = {
        FROM_A_COMMIT: f"stroppy: {json.dumps(stroppy.parameters)}",
        f"seconds: {seconds[0]},": f"seconds: {seconds[1]},",
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / name).write_text(text, encoding="utf-8")


def loads(test: TestResult) -> list[float]:
    return [step.load.per_second or 0 for step in test.workflow_steps if step.load is not None]


def test_a_night_of_loads_side_by_side(tmp_path: Path, stroppy: Stroppy) -> None:
    with a_desk(tmp_path) as desk:
        small("nightly.yaml", desk.folder, stroppy, (10, 3))
        done = desk.call("run", "nightly.yaml", "--parallel", "3", seconds=600)
        result = desk.result()
        print(done.out)
        assert done.code == 0, done.err
        assert [test.verdict for test in result.tests] == [Verdict.PASS] * 6
        assert all(speed > 0 for test in result.tests for speed in loads(test))
        assert sum(len(loads(test)) for test in result.tests) == 6
        starts = sorted((test.started or 0, test.ended or 0) for test in result.tests)
        assert starts[1][0] < starts[0][1], "no two tests ran at the same time"
        assert traces(desk.newest()) == []


def test_a_failover_under_load(tmp_path: Path, stroppy: Stroppy) -> None:
    with a_desk(tmp_path) as desk:
        small("failover-under-load.yaml", desk.folder, stroppy, (45, 35))
        done = desk.call("run", "failover-under-load.yaml", seconds=600)
        print(done.out)
        assert done.code == 0, done.err
        (test,) = desk.result().tests
        (load,) = [step.load for step in test.workflow_steps if step.id.endswith("-load")]
        (crash,) = [step for step in test.workflow_steps if step.step_type == "crash_node"]
        assert load is not None
        assert load.started is not None
        assert crash.ended is not None
        last = max(piece.start + piece.seconds for piece in load.intervals if piece.count)
        assert load.started + last > crash.ended, "nothing succeeded after the crash"
        (app,) = [client for client in test.clients if client.name == "app"]
        assert app.examined
        assert not app.lost_count
