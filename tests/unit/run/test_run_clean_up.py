"""Nodes go or stay by policy, what a dead run has left can be removed later, and logs are collected before."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from run_replay import OFF, ON, PaperNodes, Replay, Replayed, plan_of, replay

from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.processes import TOKEN_VARIABLE, marked
from e2e_ansible.engine.protocol import Cancel, Ended, Outcome, PlayRequest
from e2e_ansible.errors import CleanUpError, HarnessError, UsageError
from e2e_ansible.judge.entry import Evidence
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Node
from e2e_ansible.run.clean_up import clean_up, destroy_run, keeps
from e2e_ansible.run.context import Megaphone, RunContext, RunOptions
from e2e_ansible.run.evidence import collect
from e2e_ansible.run.folder import TestFolder
from e2e_ansible.run.reading import read_run
from e2e_ansible.suite.model import Keep
from e2e_ansible.verdict import Cause, Verdict

POLICIES: list[tuple[Keep, tuple[bool, bool, bool]]] = [
    ("never", (False, False, False)),
    ("on-failure", (False, True, True)),
    ("always", (True, True, True)),
]


@pytest.mark.parametrize(("policy", "kept"), POLICIES)
def test_whose_nodes_stay(policy: Keep, kept: tuple[bool, ...]) -> None:
    assert tuple(keeps(policy, verdict) for verdict in (Verdict.PASS, Verdict.UNKNOWN, Verdict.FAIL)) == kept


def test_nodes_of_a_failed_test_stay_if_so_asked(tmp_path: Path) -> None:
    nodes = PaperNodes()
    done = replay(tmp_path, "bad_setting", nodes=nodes, keep="on-failure")
    (test,) = done.result.tests
    assert (test.kept, nodes.left) == (True, [test.deployment_id])
    assert test.clean_up == f"deployment {test.deployment_id} was kept"
    assert (test.verdict, test.cause) == (Verdict.FAIL, Cause.PRODUCT)


def test_the_policy_of_the_run_counts_more_than_that_of_the_test(tmp_path: Path) -> None:
    done = replay(tmp_path, "bad_setting", keep="never")
    assert not done.result.tests[0].kept


PASSED: list[tuple[Keep, bool]] = [("never", False), ("on-failure", False), ("always", True)]


@pytest.mark.parametrize(("policy", "kept"), PASSED)
def test_nodes_of_a_test_that_passed_follow_its_own_policy(tmp_path: Path, policy: Keep, kept: bool) -> None:
    whole = plan_of("bad_setting")
    plan = whole.model_copy(update={"steps": whole.steps[:1], "keep": policy})
    nodes, engine = PaperNodes(), Replay("bad_setting")
    done = replay(tmp_path, "bad_setting", plans=[plan], nodes=nodes, engine=engine)
    (test,) = done.result.tests
    assert (test.verdict, test.kept, bool(nodes.left)) == (Verdict.PASS, kept, kept)
    assert engine.playbooks == ["playbooks/01-init.yml"], "a pass needs no evidence"
    assert ("keeping the nodes" if kept else "removing the nodes") in done.said()


class Nodes(PaperNodes):
    """Two deployments, one of which cannot be removed."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.left = ["one", "bad"]
        self._error = error

    def destroy(self, deployment: str) -> bool:
        if deployment == "bad" and self._error is not None:
            raise self._error
        return super().destroy(deployment)


def test_what_was_done_is_told() -> None:
    nodes = Nodes()
    gone = clean_up(nodes, "none", keep=False, at=1.0)
    kept = clean_up(nodes, "one", keep=True, at=1.0)
    removed = clean_up(nodes, "one", keep=False, at=1.0)
    assert [(each.ok, each.kept, each.message) for each in (gone, kept, removed)] == [
        (True, False, "nothing was left to remove"),
        (True, True, "deployment one was kept"),
        (True, False, "deployment one was removed"),
    ]
    assert nodes.left == ["bad"]


@pytest.mark.parametrize("error", [CleanUpError("a mount is left"), OSError("no space"), HarnessError("odd")])
def test_what_cannot_be_removed_is_told(error: Exception) -> None:
    found = clean_up(Nodes(error), "bad", keep=False, at=1.0)
    assert (found.ok, found.kept) == (False, False)
    assert found.message == f"deployment bad could not be removed: {error}"


def test_a_clean_up_that_failed_is_recorded_beside_the_verdict(tmp_path: Path) -> None:
    done = replay(tmp_path, "bad_setting", nodes=PaperNodes(broken="a mount is left"))
    (test,) = done.result.tests
    assert (test.verdict, test.cause, test.kept) == (Verdict.FAIL, Cause.PRODUCT, False)
    assert (test.error or "").endswith(
        f"\nclean-up: deployment {test.deployment_id} could not be removed: a mount is left"
    )
    assert read_run(done.folder) == done.result


# what a dead run has left


@pytest.fixture
def left(tmp_path: Path) -> Iterator[tuple[Replayed, PaperNodes]]:
    """A run whose nodes are still there, with its scratch folder."""
    nodes = PaperNodes()
    done = replay(tmp_path, "bad_setting", "unreachable", nodes=nodes, keep="always")
    scratch = Path(done.folder.manifest().scratch)
    scratch.mkdir()
    yield done, nodes
    if scratch.exists():
        scratch.rmdir()


def test_what_a_run_has_left_is_removed(left: tuple[Replayed, PaperNodes]) -> None:
    done, nodes = left
    before = list(nodes.left)
    assert len(before) == 2
    said = destroy_run(done.folder, lambda name: nodes, at=1.0)
    assert said == [f"deployment {deployment} was removed" for deployment in before]
    assert nodes.left == []
    assert not Path(done.folder.manifest().scratch).exists()
    assert destroy_run(done.folder, lambda name: nodes, at=1.0) == ["nothing was left to remove"] * 2


def test_a_run_that_named_no_scratch_folder_is_removed_as_well(left: tuple[Replayed, PaperNodes]) -> None:
    done, nodes = left
    manifest = done.folder.manifest()
    done.folder.write_manifest(manifest.model_copy(update={"scratch": ""}))
    destroy_run(done.folder, lambda name: nodes, at=1.0)
    assert nodes.left == []
    assert Path(manifest.scratch).exists()


def test_its_processes_are_ended(left: tuple[Replayed, PaperNodes]) -> None:
    done, nodes = left
    token = f"{done.folder.run_id}/unreachable/01-init"
    process = subprocess.Popen(["sleep", "60"], env={**os.environ, TOKEN_VARIABLE: token})
    try:
        assert Deadline(10).wait_for(lambda: marked(token) == [process.pid])
        destroy_run(done.folder, lambda name: nodes, at=1.0)
        assert process.wait(10) < 0
    finally:
        process.kill()
        process.wait()


def test_what_is_still_left_is_told_and_the_rest_removed(left: tuple[Replayed, PaperNodes]) -> None:
    done, nodes = left
    first, second = nodes.left

    class Stuck(PaperNodes):
        def destroy(self, deployment: str) -> bool:
            if deployment == first:
                raise CleanUpError("a mount is left")
            return super().destroy(deployment)

    stuck = Stuck()
    stuck.left = [first, second]
    with pytest.raises(CleanUpError) as caught:
        destroy_run(done.folder, lambda name: stuck, at=1.0)
    assert str(caught.value) == f"deployment {first} could not be removed: a mount is left"
    assert caught.value.hint == f"try again: e2e-ansible destroy {done.folder.path}"
    assert stuck.left == [first]
    os.close(done.folder.lock())


def test_a_provider_from_elsewhere_that_raises_keeps_no_other_deployment(
    left: tuple[Replayed, PaperNodes],
) -> None:
    done, nodes = left
    first, second = nodes.left

    class Odd(PaperNodes):
        def destroy(self, deployment: str) -> bool:
            if deployment == first:
                raise RuntimeError("no such thing")
            return super().destroy(deployment)

    odd = Odd()
    odd.left = [first, second]
    with pytest.raises(CleanUpError, match=f"{first} could not be removed: RuntimeError: no such thing"):
        destroy_run(done.folder, lambda name: odd, at=1.0)
    assert odd.left == [first]


def test_a_run_that_lives_is_left_alone(left: tuple[Replayed, PaperNodes]) -> None:
    done, nodes = left
    lock = done.folder.lock()
    try:
        with pytest.raises(UsageError, match="is still running"):
            destroy_run(done.folder, lambda name: nodes, at=1.0)
    finally:
        os.close(lock)
    assert len(nodes.left) == 2


# evidence


class Collector:
    """In place of the role that collects: it leaves the journal of these nodes."""

    name = "collector"

    def __init__(self, *nodes: str, outcome: Outcome | None = None) -> None:
        self._nodes = nodes
        self._outcome = outcome or Outcome(ended=Ended.COMPLETED, rc=0)
        self.requests: list[PlayRequest] = []

    def run(self, request: PlayRequest, on_event: object, cancel: Cancel) -> Outcome:
        self.requests.append(request)
        for node in self._nodes:
            folder = request.artifacts / node
            folder.mkdir()
            (folder / "journal.txt").write_text("lines")
        return self._outcome


def collected(
    folder: Path, engine: Collector, powers: dict[str, PowerState], *, gone: bool = False, fails: bool = False
) -> Evidence | None:
    class There(PaperNodes):
        def nodes(self, deployment: str) -> Sequence[Node]:
            if fails:
                raise HarnessError("the record is damaged")
            return [Node(name=name, labels=("database",), power=power) for name, power in powers.items()]

    there = There()
    there.left = [] if gone else ["case-1"]
    context = RunContext(
        run_id="run",
        engine=engine,
        options=RunOptions(),
        environment={"ANSIBLE_HOME": "/scratch"},
        tell=Megaphone([]),
        provider=lambda name: there,
        now=lambda: 7.0,
    )
    return collect(context, TestFolder(folder), "local", "case-1", "run/case")


ON_AND_OFF = {"n11": ON, "n12": OFF, "n13": PowerState.UNKNOWN}


def test_logs_are_asked_of_the_nodes_that_may_be_on(tmp_path: Path) -> None:
    engine = Collector("n11", "n13")
    found = collected(tmp_path, engine, ON_AND_OFF)
    assert found == Evidence(at=7.0, folder="evidence", message="logs of n11, n13; n12 is off")
    (request,) = engine.requests
    assert (request.limit, request.token) == ("n11,n13", "run/case/evidence")
    assert request.deadline_seconds > 60, "its own, whatever is left of the test's"
    assert request.environment == {
        "ANSIBLE_HOME": "/scratch",
        "E2E_DEPLOYMENT": "case-1",
        "E2E_EVIDENCE": str(tmp_path / "evidence"),
    }
    assert (tmp_path / "evidence").stat().st_mode & 0o777 == 0o700


def test_logs_that_did_not_come_are_told(tmp_path: Path) -> None:
    found = collected(tmp_path, Collector("n11"), ON_AND_OFF)
    assert found is not None
    assert found.message == "logs of n11, n13 are not complete: none of n13; n12 is off"


def test_a_collection_that_was_not_done_in_time_is_told(tmp_path: Path) -> None:
    late = Outcome(ended=Ended.TIMEOUT, rc=None, message="not done after 180 s")
    found = collected(tmp_path, Collector("n11", outcome=late), {"n11": ON})
    assert found is not None
    assert found.message == "logs of n11 are not complete: not done after 180 s"


@pytest.mark.parametrize(
    ("powers", "gone", "fails"),
    [
        ({"n11": OFF}, False, False),
        ({}, False, False),
        ({"n11": ON}, True, False),
        ({"n11": ON}, False, True),
    ],
    ids=["all are off", "there are none", "the deployment is gone", "the provider does not know"],
)
def test_without_a_node_that_is_on_there_is_nothing_to_collect(
    tmp_path: Path, powers: dict[str, PowerState], gone: bool, fails: bool
) -> None:
    engine = Collector()
    assert collected(tmp_path, engine, powers, gone=gone, fails=fails) is None
    assert engine.requests == []
    assert not (tmp_path / "evidence").exists()


def test_a_test_that_passed_collects_nothing(tmp_path: Path) -> None:
    engine = Replay("survives")
    replay(tmp_path, "survives", engine=engine)
    assert "playbooks/collect-logs.yml" not in engine.playbooks
