"""Quotas with real nodes: kill -9 at each stage of a parallel suite, eight tests at once, and limits that hold.

Each test has a home of its own, so that the ledger has nothing but its own runs; the images are those of all.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from held_runs import Killer, lines
from real_runs import Desk, deployment_traces, destroy_runs, one_test, traces, write_suite
from test_survival import PLUGIN, scripts

from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.processes import end_all
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.local.driver import LocalProvider
from e2e_ansible.providers.system import locked
from e2e_ansible.quota.amounts import Amounts, total
from e2e_ansible.quota.gate import settle
from e2e_ansible.quota.ledger import Ledger
from e2e_ansible.quota.reservation import Entry

pytestmark = pytest.mark.nodes

LONG_SECONDS = 240
NODES: dict[str, Any] = {"step": "make_nodes"}


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """One whose suites may make nodes and run scripts, with a ledger of its own."""
    desk.allow_make_nodes()
    (desk.folder / "e2e_plugins/scripts.py").write_text(PLUGIN)
    home = desk.scratch / "h"
    home.mkdir(mode=0o700)
    (default_home() / "images").mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / "images").symlink_to(default_home() / "images")
    desk.variables["E2E_ANSIBLE_HOME"] = str(home)
    return desk


def ledger(desk: Desk) -> Ledger:
    return Ledger(desk.home)


def held(desk: Desk) -> list[str]:
    """The tests that have something."""
    return sorted(each.claim.test for each in ledger(desk).state()[0])


def waiting(desk: Desk) -> list[str]:
    """Those that wait for it."""
    return [each.claim.test for each in ledger(desk).state()[1]]


def recorded(desk: Desk) -> list[str]:
    """The deployments that exist."""
    return sorted(LocalProvider(desk.home).deployments())


def most(entries: Sequence[Entry]) -> int:
    """The most nodes that were reserved at any moment."""
    alive, found = 0, 0
    for entry in entries:
        if entry.kind in ("reserve", "release"):
            alive += entry.claim.amounts.nodes * (1 if entry.kind == "reserve" else -1)
            found = max(found, alive)
    return found


def balanced(entries: Sequence[Entry]) -> bool:
    """Whether every reservation has exactly one release."""
    pairs = [(entry.claim.deployment, entry.round, entry.kind) for entry in entries]
    reserved = {pair[:2] for pair in pairs if pair[2] == "reserve"}
    released = [pair[:2] for pair in pairs if pair[2] == "release"]
    return len(released) == len(set(released)) and set(released) == reserved


def settled(desk: Desk) -> list[str]:
    """What anybody who looks next leaves in the ledger."""
    settle(ledger(desk), lambda name: LocalProvider(desk.home))
    return held(desk)


@contextmanager
def running(desk: Desk, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs meanwhile."""
    with desk.start(*arguments) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


# ---- kill -9 at each stage

STEPS: list[dict[str, Any]] = [
    scripts("before", "true"),
    NODES,
    scripts("install", "touch /var/lib/installed", "true", target_node="n11"),
    scripts("load", "touch /var/lib/loaded", "true", target_node="n11"),
    {"step": "destroy"},
]
#: Each with what the ledger holds then, when anybody has looked, and with how many deployments exist.
STAGES = {
    "01-before@changed": (0, 0),  # two have reserved and made nothing, one waits
    "02-make-nodes@changed": (2, 2),
    "03-install@changed": (2, 2),
    "04-load@changed": (2, 2),
    "destroying": (2, 2),
    "05-destroy@changed": (0, 0),  # the nodes are gone, the step has not ended
}


class Hand:
    """Kills a run when it is held at a moment, and has it resumed."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.killer = Killer(desk, boundaries=False)
        self.arguments: tuple[str, ...] = ()

    def kill_at(self, moment: str, *, only_after: Callable[[], bool] = lambda: True) -> None:
        """Run, or resume, until the moment, and kill it with all that it had begun."""
        for path in (self.killer.folder / "held").iterdir():
            path.unlink()
        with running(self.desk, *self.arguments) as process:
            there = self.killer.folder / "held" / moment

            def reached() -> bool:
                return moment == "destroying" or there.exists()

            def found() -> bool:
                return process.poll() is not None or (reached() and only_after())

            assert Deadline(LONG_SECONDS).wait_for(found, 0.02), f"never came to {moment}"
            assert process.poll() is None, process.communicate()
            (self.killer.folder / "struck" / moment).touch()
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=60)
        assert end_all(self.desk.newest().name) == []
        self.arguments = ("resume",)


def all_in(desk: Desk, moment: str) -> Callable[[], bool]:
    """Whether two tests have come to the step of a moment with what they have then, and the third one waits."""
    step, (_, nodes) = moment.partition("@")[0], STAGES[moment]

    def found() -> bool:
        journals = desk.newest().glob("tests/*/journal.jsonl")
        begun = [path for path in journals if any(entry.get("step") == step for entry in lines(path))]
        return (len(begun), len(waiting(desk)), len(recorded(desk))) == (2, 1, nodes)

    return found


def half_gone(desk: Desk) -> bool:
    """Whether containers have ended while their deployments are still there."""
    there = recorded(desk)
    provider = LocalProvider(desk.home)
    off = [each for each in there if all(node.power == "off" for node in provider.nodes(each))]
    return len(there) == len(off) == 2


def test_a_kill_at_each_stage_leaves_no_quota_and_no_node_behind(desk: Desk) -> None:
    desk.variables["E2E_BUDGET"] = "nodes=2,cpus=none,memory_gb=none"
    tests = {name: one_test(STEPS) for name in ("one", "two", "three")}
    suite = str(write_suite(desk.folder / "suite.json", **tests))
    hand = Hand(desk)
    hand.arguments = ("run", suite, "--parallel", "3")
    told: dict[str, tuple[int, int]] = {}
    assert (held(desk), waiting(desk), recorded(desk)) == ([], [], [])
    for moment in STAGES:
        with ExitStack() as stack:
            if moment == "destroying":
                hand_over = held_up(desk, hand, stack)
                hand.kill_at(moment, only_after=hand_over)
            else:
                hand.kill_at(moment, only_after=all_in(desk, moment))
        assert waiting(desk) == []  # the dead do not wait
        told[moment] = (len(settled(desk)), len(recorded(desk)))
    done = desk.call("resume")
    assert done.code == 0, done.said
    assert told == STAGES
    entries = ledger(desk).entries()
    assert balanced(entries)
    assert most(entries) == 2
    assert (held(desk), waiting(desk), recorded(desk)) == ([], [], [])
    run = desk.newest()
    deployments = [test.deployment_id for test in desk.result().tests]
    assert [line for each in deployments for line in deployment_traces(each, desk.home)] == []
    assert traces(run) == []


def held_up(desk: Desk, hand: Hand, stack: ExitStack) -> Callable[[], bool]:
    """Nobody can remove a network meanwhile: so containers end, and their deployments stay."""
    hold: list[bool] = []

    def found() -> bool:
        journals = desk.newest().glob("tests/*/journal.jsonl")
        kinds = [(entry["kind"], entry.get("step")) for path in journals for entry in lines(path)]
        if not hold and ("step_resumed", "04-load") in kinds:
            stack.enter_context(locked(desk.home / "lock", LONG_SECONDS))
            hold.append(True)
        return bool(hold) and half_gone(desk)

    return found


# ---- destroy and keep


def test_kept_nodes_stay_reserved_until_they_are_destroyed(desk: Desk) -> None:
    desk.variables["E2E_BUDGET"] = "nodes=1"
    suite = str(write_suite(desk.folder / "suite.json", first=one_test([NODES]), second=one_test([NODES])))
    done = desk.call("run", suite, "--keep", "always")
    assert done.code == 4, done.said
    assert "stay reserved until e2e-ansible destroy" in done.said
    assert "it cannot begin: 1 node, with 0 nodes of 1 node left; what it lacks is held by first" in done.said
    assert [test.verdict for test in desk.result().tests] == ["pass", "fail"]
    shown = desk.call("quota")
    assert ", kept" in shown.said
    assert f"give back: e2e-ansible destroy {desk.newest().name}" in shown.said
    assert "left: 0 nodes" in shown.said
    assert desk.call("destroy").code == 0
    assert "nothing is reserved, and nobody waits" in desk.call("quota").said
    assert balanced(ledger(desk).entries())


def test_a_run_waits_for_what_a_killed_one_holds_until_what_it_prints_was_typed(desk: Desk) -> None:
    """The killed one has its folder elsewhere, which the command names."""
    desk.variables["E2E_BUDGET"] = "nodes=1"
    steps = [NODES, scripts("hold", "sleep 600", "true")]
    first = write_suite(desk.folder / "first.json", first=one_test(steps))
    second = write_suite(desk.folder / "second.json", second=one_test([NODES]))
    elsewhere = desk.folder / "else where"
    try:
        with running(desk, "run", str(first), "--runs", elsewhere.name) as process:
            assert Deadline(LONG_SECONDS).wait_for(lambda: _begun(elsewhere, "02-hold"), 0.05)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=60)
        ((left,), _) = ledger(desk).state()
        end_all(left.claim.run)
        command = left.claim.command("destroy")
        assert f" --runs '{elsewhere}'" in command
        assert f"give back: {command}" in desk.call("quota").said
        with running(desk, "run", str(second)) as process:
            assert Deadline(LONG_SECONDS).wait_for(lambda: waiting(desk) == ["second"], 0.05)
            done = desk.call(*shlex.split(command)[1:])
            assert done.code == 0, done.said
            out, err = process.communicate(timeout=LONG_SECONDS)
        said = " ".join((out + err).split())
        assert process.returncode == 0, said
        assert f"it waits for 300 s at most: remove its nodes: {command}; or go on with it: " in said
        assert (held(desk), waiting(desk), recorded(desk)) == ([], [], [])
        assert balanced(ledger(desk).entries())
    finally:
        destroy_runs(elsewhere, desk.home)


def _begun(runs: Path, step: str) -> bool:
    journals = runs.glob("*/tests/*/journal.jsonl")
    return any(entry.get("step") == step for path in journals for entry in lines(path))


# ---- eight at once

EIGHT = 8
MEET = """
touch "$1/$2.here"
for i in $(seq 2400); do
  [ "$(ls "$1"/*.here | wc -l)" -ge "$3" ] && [ -e "$1/go" ] && exit
  sleep 0.1
done
exit 1
"""


def meeting(desk: Desk, name: str) -> Mapping[str, Any]:
    """A test with PostgreSQL on a node of its own, which ends only after eight of them were there at once."""
    meet = ["sh", "-c", MEET, "sh", str(desk.folder), name, str(EIGHT)]
    steps = [
        {"step": "deploy"},
        {"step": "custom_command", "custom_command": meet},
        {"step": "validate", "checks": ["database_running"]},
    ]
    return one_test(steps)


def test_eight_tests_run_at_once_within_the_budget_and_a_ninth_waits_for_its_turn(desk: Desk) -> None:
    desk.variables["E2E_BUDGET"] = f"nodes={EIGHT},cpus=0.2,memory_gb=2"
    names = [f"t{number}" for number in range(EIGHT)]
    (desk.folder / "eight").mkdir()
    eight = write_suite(desk.folder / "suite.json", **{name: meeting(desk, name) for name in names})
    ninth = write_suite(desk.folder / "ninth.json", ninth=one_test([NODES]))
    with running(desk, "run", str(eight), "--parallel", str(EIGHT)) as first:
        assert Deadline(LONG_SECONDS).wait_for(lambda: len(held(desk)) == EIGHT or first.poll() is not None)
        assert first.poll() is None, first.communicate()
        assert ledger(desk).state()[0][0].alive
        with running(desk, "run", str(ninth), "--runs", "later") as later:
            assert Deadline(LONG_SECONDS).wait_for(lambda: waiting(desk) == ["ninth"])
            (desk.folder / "go").touch()
            out, err = later.communicate(timeout=LONG_SECONDS)
            assert later.returncode == 0, out + err
            said = " ".join(out.split())
            assert "waits for its turn: 1 node, with 0 nodes of 8 nodes left" in said
        out, err = first.communicate(timeout=LONG_SECONDS)
        assert first.returncode == 0, out + err
    tests = desk.result().tests
    assert {test.name: test.verdict for test in tests} == dict.fromkeys(names, "pass")
    assert max(test.started or 0 for test in tests) < min(test.ended or 0 for test in tests)
    entries = ledger(desk).entries()
    assert most(entries) == EIGHT
    assert balanced(entries)
    reserved = total(entry.claim.amounts for entry in entries if entry.kind == "reserve")
    assert reserved.nodes == EIGHT + 1
    order = [entry.kind for entry in entries if entry.claim.test == "ninth" or entry.kind == "release"]
    assert order.index("release") < order.index("reserve")


# ---- what is refused, and what is held to its limits


def test_a_test_larger_than_the_budget_is_refused_before_anything_is_done(desk: Desk) -> None:
    large = one_test([NODES], size=3, hardware={"database": {"memory_gb": 2, "cpus": 0.5}})
    suite = str(write_suite(desk.folder / "suite.json", small=one_test([NODES]), large=large, huge=large))
    done = desk.call("run", suite, "--budget", "memory_gb=4,cpus=1")
    assert done.code == 2
    assert "large needs 1.5 cpus, with a budget of 1 cpu, 6 GiB of memory" in done.said
    assert "huge needs" in done.said
    assert "small needs" not in done.said
    assert not desk.runs.exists()
    assert recorded(desk) == []


def test_a_ledger_that_is_broken_starts_nothing(desk: Desk) -> None:
    (desk.home / "quota.sqlite").write_text("this is no database " * 100)
    suite = str(write_suite(desk.folder / "suite.json", small=one_test([NODES])))
    done = desk.call("run", suite)
    assert done.code == 4
    assert "the ledger of quotas" in done.said
    assert recorded(desk) == []


FILL = ["sh", "-c", "head -c 400000000 /dev/zero | tail >/dev/null"]


def test_a_node_is_held_to_its_memory_and_processors(desk: Desk) -> None:
    fill = {"step": "custom_command", "targets": ["n11"], "custom_command": FILL}
    limits = {"database": {"memory_gb": 0.25, "cpus": 0.5}}
    free = one_test([NODES, fill])
    bound = one_test([NODES, fill], hardware=limits)
    suite = str(write_suite(desk.folder / "suite.json", free=free, bound=bound))
    done = desk.call("run", suite, "--keep", "on-failure")
    assert done.code == 1, done.said
    tests = {test.name: test for test in desk.result().tests}
    assert tests["free"].verdict == "pass"
    assert tests["bound"].workflow_steps[0].verdict == "pass"  # the node itself lives within it
    assert tests["bound"].workflow_steps[1].verdict == "fail"
    (own,) = ledger(desk).state()[0]
    assert own.claim.amounts == Amounts(1, 500, 256, 1024)
    groups = [path for path in Path("/sys/fs/cgroup").glob("*/e2e-*") if _is_of(path, desk)]
    values = [int(text) for path in groups for text in _limits(path)]
    assert sorted(values) == [50_000, 256 * 1024**2]


def _is_of(path: Path, desk: Desk) -> bool:
    provider = LocalProvider(desk.home)
    machines = [thing for each in provider.deployed() for thing in each.things]
    return f"container {path.name.removeprefix('e2e-')}" in machines


def _limits(path: Path) -> Iterator[str]:
    for name in ("memory.limit_in_bytes", "memory.max", "cpu.cfs_quota_us", "cpu.max"):
        if (path / name).exists():
            text = (path / name).read_text().split()[0]
            if text.isdecimal() and int(text) < 2**60:
                yield text
