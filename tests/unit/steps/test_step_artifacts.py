"""What a suite says of artifacts becomes plays, and nonsense is refused with its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e_ansible.api import plan
from e2e_ansible.awx.workflow import workflow_of
from e2e_ansible.content import content_root
from e2e_ansible.errors import SuiteError, UsageError
from e2e_ansible.judge.cause import cause_of
from e2e_ansible.judge.result import Failure
from e2e_ansible.steps.artifacts import ArtifactOptions
from e2e_ansible.steps.base import CompileContext, CompiledStep, Unsafe
from e2e_ansible.steps.build_artifact import BuildArtifact
from e2e_ansible.steps.coverage import coverage_play
from e2e_ansible.steps.judgement import Replay
from e2e_ansible.steps.load_artifact import LoadArtifact, LoadArtifactOptions
from e2e_ansible.steps.run_stroppy import RunStroppy, RunStroppyOptions
from e2e_ansible.steps.stroppy_install import PINNED_COMMIT, stroppy_environment, stroppy_install
from e2e_ansible.suite.coverage import CoverageOptions
from e2e_ansible.suite.load import load_suite, parse_suite
from e2e_ansible.suite.parameters import Parameters
from e2e_ansible.verdict import Cause

GOOD = "a" * 64
LABELS = {
    "n11": ("database", "setup_software"),
    "n12": ("database", "setup_software"),
    "c11": ("client", "run_stroppy", "setup_software"),
}


def context(provider: str = "local", **parameters: Any) -> CompileContext:
    return CompileContext(provider, tuple(LABELS), LABELS, Parameters.model_validate(parameters), "n11")


def build(made: CompileContext, **options: Any) -> CompiledStep:
    given = ArtifactOptions.model_validate({"step": "build_artifact", **options})
    return BuildArtifact().compile(given, made)


def load(made: CompileContext, **options: Any) -> CompiledStep:
    given = LoadArtifactOptions.model_validate({"step": "load_artifact", **options})
    return LoadArtifact().compile(given, made)


def arguments(compiled: CompiledStep, action: str) -> dict[str, Any]:
    ((task,),) = (play["tasks"] for play in compiled.plays)
    found: dict[str, Any] = task[action]
    return found


def test_stroppy_is_made_on_the_controller_before_there_are_nodes() -> None:
    made = build(context(), artifact="stroppy")
    assert (made.hosts, made.replay) == (("localhost",), Replay.REPEATABLE)
    assert arguments(made, "stroppy_program")["state"] == "built"
    assert arguments(made, "stroppy_program")["commit"] == PINNED_COMMIT


def test_packages_that_a_node_would_fetch_need_one() -> None:
    bare = CompileContext("aws", (), {}, Parameters.model_validate({}), "")
    with pytest.raises(UsageError, match="fetched by the first node, and this test has none"):
        build(bare, artifact="packages", packages=["redis-server"])
    assert build(context("aws"), artifact="packages", packages=["redis-server"]).hosts == ("n11",)


def test_all_ways_to_say_where_it_comes_from_reach_build_load_and_install() -> None:
    for source in ({"url": "https://example.org/{{ x }}", "sha256": GOOD}, {"archive": "a {{ b }}.tar.gz"}):
        made = context(stroppy=source)
        for each in (build(made, artifact="stroppy"), load(made, artifact="stroppy")):
            given = arguments(each, "stroppy_program")
            assert {name: given[name] for name in source} == source
            assert all(isinstance(given[name], Unsafe) for name in source)
            assert "commit" not in given
        (role,) = stroppy_install(made, ["c11"])["roles"]
        assert role == {
            "role": "stroppy",
            "vars": {f"stroppy_{name}": value for name, value in source.items()},
        }


def test_the_role_and_the_steps_pin_the_same_commit() -> None:
    defaults = yaml.safe_load((content_root() / "roles/stroppy/defaults/main.yml").read_text())
    assert PINNED_COMMIT in defaults["stroppy_commit"]


def test_packages_of_local_nodes_are_fetched_from_their_image() -> None:
    for version, release in (("", "bookworm"), ("17", "trixie")):
        made = build(context(postgres_version=version), artifact="packages", packages=["redis-server"])
        assert made.hosts == ("localhost",)
        assert arguments(made, "package_store")["release"] == {"suite": release, "pgdg": ""}
        loaded = load(context(postgres_version=version), artifact="packages", packages=["redis-server"])
        assert arguments(loaded, "package_store")["release"]["suite"] == release


def test_packages_of_other_nodes_are_fetched_by_the_first() -> None:
    made = build(context("hetzner"), artifact="packages", packages=["redis-server"])
    assert made.hosts == ("n11",)
    assert made.plays[0]["become"] is True
    assert "release" not in arguments(made, "package_store")


def test_what_is_loaded_goes_to_nodes_and_labels() -> None:
    made = context()
    assert load(made, artifact="stroppy").hosts == ("n11", "n12", "c11")
    assert load(made, artifact="stroppy", targets=["run_stroppy", "n12"]).hosts == ("n12", "c11")
    with pytest.raises(UsageError, match="none with the label 'databse'") as caught:
        load(made, artifact="stroppy", targets=["databse"])
    assert "database" in caught.value.hint


def test_a_failure_is_of_machines_whatever_the_step_says() -> None:
    for action in ("stroppy_program", "package_store"):
        failure = Failure(host="c11", task="x", action=action, message="it is for aarch64", kind="failed")
        assert cause_of(failure, Cause.PRODUCT) is Cause.INFRASTRUCTURE


def test_a_program_with_coverage_has_a_folder_on_its_node() -> None:
    plain = context(coverage={}, stroppy={"commit": "d8fb5897ca07"})
    assert stroppy_environment(plain) == {}
    assert "tasks" not in stroppy_install(plain, ["c11"])
    noted = context(
        coverage={"directory": "/srv/cover"}, stroppy={"commit": "d8fb5897ca07", "coverage": True}
    )
    assert stroppy_environment(noted) == {"GOCOVERDIR": "/srv/cover"}
    (task,) = stroppy_install(noted, ["c11"])["tasks"]
    assert task["ansible.builtin.file"]["path"] == "/srv/cover"


def test_units_are_stopped_and_the_files_brought_also_when_one_cannot_be() -> None:
    alone = coverage_play(CoverageOptions(), ["n11", "n12"])
    assert [list(task)[1] for task in alone["tasks"]] == ["fetch_folder"]
    (both,) = coverage_play(CoverageOptions(stop=("a.service",)), ["n11"])["tasks"]
    assert both["block"][0]["plain_command"]["argv"][-1] == "a.service"
    assert list(both["always"][0])[1] == "fetch_folder"


def complaints(folder: Path, step: str, parameters: str = "{}") -> str:
    path = folder / "suite.yaml"
    path.write_text(f"test_suites:\n  a:\n    parameters: {parameters}\n    workflow:\n      - {step}\n")
    with pytest.raises(SuiteError) as caught:
        load_suite(path)
    return str(caught.value)


BUILD = "{step: build_artifact, artifact: stroppy}"


@pytest.mark.parametrize(
    ("step", "parameters", "line", "complaint"),
    [
        ("{step: build_artifact, artifact: stropy}", "{}", 5, "stroppy"),
        ("{step: build_artifact, artifact: packages}", "{}", 5, "packages needs their names"),
        ("{step: build_artifact, artifact: packages, packages: [Redis]}", "{}", 5, "packages"),
        (
            "{step: build_artifact, artifact: stroppy, packages: [redis]}",
            "{}",
            5,
            "are for artifact: packages",
        ),
        ("{step: load_artifact, artifact: stroppy, targets: [clients]}", "{}", 5, "'clients'"),
        (BUILD, "{stroppy: {}}", 3, "none is given"),
        (BUILD, "{stroppy: {archive: x, commit: d8fb5897ca07}}", 3, "not archive and commit"),
        (BUILD, "{stroppy: {url: 'https://example.org/x'}}", 3, "url needs sha256"),
        (BUILD, "{stroppy: {commit: main}}", 3, "commit is 7 to 40 digits"),
        (BUILD, "{stroppy: {commit: d8fb5897ca07, coverage: true}}", 3, "write coverage: {}"),
        (BUILD, "{coverage: {directory: relative}}", 3, "directory"),
        (BUILD, "{coverage: {directory: /var/../etc/x y}}", 3, "directory"),
        (BUILD, "{coverage: {stop: ['a b']}}", 3, "stop"),
    ],
)
def test_nonsense_is_refused_with_its_place(
    tmp_path: Path, step: str, parameters: str, line: int, complaint: str
) -> None:
    said = complaints(tmp_path, step, parameters)
    assert f"suite.yaml:{line}:" in said
    assert complaint in said


def test_the_context_of_these_tests_is_as_a_suite_makes_it() -> None:
    labels = Parameters.model_validate({"cluster_size": 2, "clients": 1}).labels_by_node
    assert labels == LABELS
    assert replace(context(), labels=labels) == context()


def test_coverage_is_refused_where_nobody_would_collect_it() -> None:
    text = '{"test_suites": {"t": {"parameters": {"coverage": {}}, "workflow": [{"step": "deploy"}]}}}'
    suite = parse_suite(text.encode(), "s.json")
    (compiled,) = plan(suite)
    with pytest.raises(SuiteError, match=r"s\.json:1:.*jobs of AWX do not collect coverage"):
        workflow_of(compiled, suite.tests[0])


def test_a_load_with_coverage_notes_it_where_it_is_collected() -> None:
    made = context(coverage={}, stroppy={"commit": "d8fb5897ca07", "coverage": True})
    for binary, noted in (("", {"GOCOVERDIR": "/var/lib/e2e-coverage"}), ("/opt/stroppy", {})):
        given = {"step": "run_stroppy", "workload": "simple", "binary": binary}
        compiled = RunStroppy().compile(RunStroppyOptions.model_validate(given), made)
        assert compiled.plays[-1]["tasks"][-1]["load"].get("env", {}) == noted
