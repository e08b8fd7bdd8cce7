"""The public API: what can be imported, what it refuses before anything is started, and old runs judged again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from e2e_ansible import api
from e2e_ansible.checks.registry import isolated
from e2e_ansible.errors import HarnessError, InfrastructureError, SuiteError, UnsupportedOperation, UsageError
from e2e_ansible.run.folder import Manifest, RunFolder

EVENTS = Path(__file__).resolve().parents[1] / "data/events"
TWO = """
test_suites:
  first: {workflow: [{step: deploy}, {step: validate, checks: [cluster_status]}]}
  second: {provider: aws, workflow: [{step: deploy}]}
"""
MARK = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("E2E_ANSIBLE_HOME", str(tmp_path / "home"))
    path = tmp_path / "suite.yaml"
    path.write_text(TWO)
    return path


def test_everything_public_is_there_and_nothing_else() -> None:
    assert sorted(api.__all__) == sorted(set(api.__all__))
    assert [name for name in api.__all__ if getattr(api, name, None) is None] == []
    own = {name for name, value in vars(api).items() if getattr(value, "__module__", "") == api.__name__}
    assert {name for name in own if not name.startswith("_")} <= set(api.__all__)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_suite_is_loaded_from_a_path_of_either_kind(suite: Path, kind: type[str | Path]) -> None:
    assert [test.name for test in api.load(kind(suite)).tests] == ["first", "second"]


def test_a_plan_is_the_same_every_time_and_tests_are_picked_by_name(suite: Path) -> None:
    loaded = api.load(suite)
    first, second = api.plan(loaded)
    assert api.plan(api.load(suite), tests=["second"]) == (second,)
    assert (first.name, first.hash != second.hash) == ("first", True)
    with pytest.raises(UsageError, match="no test named 'secund'") as caught:
        api.plan(loaded, tests=["first", "secund"])
    assert caught.value.hint == "did you mean 'second'?"


def test_a_provider_takes_the_place_of_what_the_tests_say(suite: Path) -> None:
    assert {plan.provider for plan in api.plan(api.load(suite, provider="hetzner"))} == {"hetzner"}


def test_what_a_provider_cannot_do_is_not_implemented(suite: Path) -> None:
    suite.write_text("provider: yandex\nworkflow: [{step: crash_node, target_node: n11, method: destroy}]\n")
    with pytest.raises(NotImplementedError) as caught:
        api.load(suite)
    assert isinstance(caught.value, UnsupportedOperation)
    assert isinstance(caught.value, SuiteError)
    assert [problem.line for problem in caught.value.problems] == [2]


def test_a_written_plan_has_its_playbooks(suite: Path, tmp_path: Path) -> None:
    (plan,) = api.plan(api.load(suite), tests=["first"])
    api.write(plan, tmp_path / "plan")
    written = {str(path.relative_to(tmp_path / "plan")) for path in (tmp_path / "plan").rglob("*")}
    assert {step.playbook for step in plan.steps} | {"plan.json", "ansible.cfg", "content/roles"} <= written


def test_nothing_is_started_of_a_plan_that_cannot_be_run_here(suite: Path, tmp_path: Path) -> None:
    loaded = api.load(suite)
    with pytest.raises(InfrastructureError, match="provider aws is not ready"):
        api.run(api.plan(loaded))
    with pytest.raises(UsageError, match="first needs 3 nodes"):
        api.run(api.plan(loaded, tests=["first"]), max_nodes=2)
    assert {path.name for path in tmp_path.iterdir()} == {"suite.yaml"}


@pytest.mark.parametrize("allowed", [False, True])
def test_code_beside_a_suite_runs_only_with_leave(suite: Path, allowed: bool) -> None:
    folder = suite.parent / "e2e_plugins"
    folder.mkdir()
    (folder / "mark.py").write_text(MARK)
    with isolated():
        api.load(suite, allow_plugins=allowed)
    for name in [name for name in sys.modules if name.startswith("e2e_ansible_plugin_")]:
        del sys.modules[name]
    assert (folder / "ran").exists() is allowed


@pytest.mark.parametrize("case", sorted(path.parent.name for path in EVENTS.glob("*/journal.jsonl")))
def test_a_run_is_judged_again_from_its_folder(case: str, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "20261121-120000-abcdef")
    run.path.mkdir()
    (run.path / "tests").symlink_to(EVENTS)
    described = {"name": case, "folder": f"tests/{case}", "deployment": "x", "provider": "local"}
    tests = [{**described, "suite": "/nowhere", "suite_digest": ""}]
    manifest = {"run_id": run.run_id, "suite": "s", "started": 1, "ended": 2, "tests": tests}
    run.write_manifest(Manifest.model_validate(manifest))
    (judged,) = api.judge(run.path).tests
    golden = api.TestResult.model_validate_json((EVENTS / case / "result.json").read_text())
    assert judged.model_copy(update={"folder": golden.folder}) == golden


def test_what_is_no_run_is_not_judged(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no run folder"):
        api.judge(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(HarnessError, match=r"run.json cannot be read: run_id: Field required, and 2 more"):
        api.judge(tmp_path)
