"""Several tests in one run: side by side within a budget of nodes, some of them, and again those that failed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from real_runs import Desk, one_test, traces, write_suite

from e2e_ansible.judge.result import TestResult

pytestmark = pytest.mark.nodes

Test = dict[str, Any]
NAMES = ("alpha", "beta", "gamma")
RENDEZVOUS = """
touch "$1.here"
for i in $(seq "$2"); do
  [ -e alpha.here ] && [ -e beta.here ] && [ -e gamma.here ] && exit
  sleep 0.1
done
exit 1
"""


def on_controller(*command: str) -> Test:
    """A test that makes no node."""
    return one_test([{"step": "custom_command", "custom_command": command}])


def rendezvous(name: str, tenths: int) -> Test:
    """A test that passes only while the two others run."""
    return on_controller("sh", "-c", RENDEZVOUS, "sh", name, str(tenths))


def written(desk: Desk, **tests: Test) -> str:
    return str(write_suite(desk.folder / "suite.json", **tests))


def verdicts(desk: Desk) -> dict[str, str]:
    return {test.name: str(test.verdict) for test in desk.result().tests}


# ---- side by side


def test_tests_run_at_the_same_time(desk: Desk) -> None:
    suite = written(desk, **{name: rendezvous(name, 300) for name in NAMES})
    done = desk.call("run", suite, "--parallel", "3")
    assert done.code == 0, done.said
    assert verdicts(desk) == dict.fromkeys(NAMES, "pass")


def test_tests_run_one_by_one_unless_asked(desk: Desk) -> None:
    """The first two wait for others in vain; the last finds what they have left."""
    suite = written(desk, **{name: rendezvous(name, 5) for name in NAMES})
    done = desk.call("run", suite)
    assert done.code == 1, done.said
    assert verdicts(desk) == {"alpha": "fail", "beta": "fail", "gamma": "pass"}
    spans = [(test.started or 0, test.ended or 0) for test in desk.result().tests]
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))


def alive(tests: tuple[TestResult, ...], sizes: dict[str, int]) -> Iterator[int]:
    """How many nodes the tests that ran at each beginning of a test may have had."""
    for moment in (test.started or 0 for test in tests):
        running = [test for test in tests if (test.started or 0) <= moment < (test.ended or 0)]
        yield sum(sizes[test.name] for test in running)


def test_no_more_nodes_than_the_budget_exist_at_once(desk: Desk) -> None:
    """Each test has as many nodes as it asks for, at addresses of its own, and never are there more than four."""
    desk.allow_make_nodes()
    sizes = {"alpha": 2, "beta": 2, "gamma": 3, "delta": 1}
    look: Test = {"step": "custom_command", "custom_command": ["hostname"], "target_node": "n11"}
    tests = {name: one_test([{"step": "make_nodes"}, look], size=size) for name, size in sizes.items()}
    done = desk.call("run", written(desk, **tests), "--parallel", "4", "--max-nodes", "4")
    assert done.code == 0, done.said
    result = desk.result()
    assert {test.name: str(test.verdict) for test in result.tests} == dict.fromkeys(sizes, "pass")
    assert max(alive(result.tests, sizes)) == 4
    assert len({test.deployment_id for test in result.tests}) == 4
    assert traces(desk.newest()) == []


def test_a_test_larger_than_the_budget_is_refused(desk: Desk) -> None:
    suite = written(desk, small=on_controller("true"), large=one_test([{"step": "deploy"}], size=5))
    done = desk.call("run", suite, "--max-nodes", "4")
    assert done.code == 2
    assert "large needs 5 nodes, with a budget of 4 nodes" in done.said
    assert not desk.runs.exists()


# ---- some of them


@pytest.mark.parametrize(
    ("options", "code", "begun"),
    [
        ([], 1, {"alpha": "pass", "beta": "fail", "gamma": "pass"}),
        (["--stop-on-error"], 1, {"alpha": "pass", "beta": "fail"}),
        (["--run-test", "gamma"], 0, {"gamma": "pass"}),
        (["--run-test", "gamma", "--run-test", "alpha"], 0, {"alpha": "pass", "gamma": "pass"}),
    ],
    ids=["all", "until one fails", "one by name", "two by name"],
)
def test_tests_that_are_run(desk: Desk, options: list[str], code: int, begun: dict[str, str]) -> None:
    suite = written(
        desk, alpha=on_controller("true"), beta=on_controller("false"), gamma=on_controller("true")
    )
    done = desk.call("run", suite, *options)
    assert done.code == code, done.said
    assert verdicts(desk) == begun
    left_out = "gamma" not in begun
    assert ("Not run: gamma" in done.said) is left_out
    assert desk.result().not_run == (("gamma",) if left_out else ())


def test_a_test_that_is_not_there_starts_nothing(desk: Desk) -> None:
    done = desk.call("run", written(desk, alpha=on_controller("true")), "--run-test", "alpa")
    assert done.code == 2
    assert "'alpa'" in done.said
    assert "did you mean 'alpha'?" in done.said
    assert not desk.runs.exists()


def test_only_what_failed_runs_again(desk: Desk) -> None:
    """A test that was not begun has not passed either."""
    suite = written(
        desk, alpha=on_controller("true"), beta=on_controller("ls", "here"), gamma=on_controller("true")
    )
    assert desk.call("run", suite, "--stop-on-error").code == 1
    assert verdicts(desk) == {"alpha": "pass", "beta": "fail"}
    first = desk.newest()

    still = desk.call("rerun", first.name, "--failed")
    assert still.code == 1, still.said
    assert verdicts(desk) == {"beta": "fail", "gamma": "pass"}

    (desk.folder / "here").touch()
    repaired = desk.call("rerun", "--failed")
    assert repaired.code == 0, repaired.said
    assert verdicts(desk) == {"beta": "pass"}

    runs = len(list(desk.runs.iterdir()))
    nothing = desk.call("rerun", "--failed")
    assert nothing.code == 0
    assert "nothing to run again" in nothing.said
    assert len(list(desk.runs.iterdir())) == runs

    everything = desk.call("rerun", first.name)
    assert everything.code == 0, everything.said
    assert verdicts(desk) == dict.fromkeys(NAMES, "pass")


def test_the_list_names_every_test(desk: Desk) -> None:
    suite = written(desk, alpha=on_controller("true"), beta=one_test([{"step": "deploy"}] * 2, size=3))
    done = desk.call("list", suite, "--json")
    assert done.code == 0, done.said
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [(row["name"], row["provider"], row["nodes"], row["steps"]) for row in rows] == [
        ("alpha", "local", 1, 1),
        ("beta", "local", 3, 2),
    ]
    assert not desk.runs.exists()
