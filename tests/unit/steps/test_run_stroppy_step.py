"""The step `run_stroppy`: what it becomes, and what is refused before anything runs."""

from __future__ import annotations

import json
import platform
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from e2e_ansible.artifacts.stroppy import Source, program
from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.errors import SuiteError
from e2e_ansible.steps.registry import step_types
from e2e_ansible.steps.run_stroppy import RunStroppyOptions
from e2e_ansible.suite.load import load_suite

STROPPY = """#!/bin/sh
case "$*" in
"run --help") echo "Typed parameter flags: --executor" ;;
"version") echo "stroppy  v6.0.0" ;;
"help drivers") echo "    errorMode              string    log | fail" ;;
"probe -o json") echo '{"drivers": [{"type": "postgres"}], "workloads": [
  {"name": "tpcb/tx", "params": [
  {"name": "vus", "type": "int"}, {"name": "duration", "type": "duration"},
  {"name": "executor", "type": "string"}]}]}' ;;
*) echo "Skipping step 'load_data'" >&2 ;;
esac
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_ANSIBLE_HOME", str(tmp_path / "home"))


def suite(folder: Path, *, clients: int = 1, **options: Any) -> Path:
    step = {"step": "run_stroppy", "workload": "tpcb/tx", **options}
    parameters = {"cluster_size": 1, "clients": clients, "stroppy": {"archive": "stroppy.tar.gz"}}
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump({"test_suites": {"t": {"parameters": parameters, "workflow": [step]}}}))
    return path


def archive(folder: Path) -> None:
    """A program beside the suite."""
    (folder / "stroppy").write_text(STROPPY)
    (folder / "stroppy").chmod(0o755)
    with tarfile.open(folder / "stroppy.tar.gz", "w:gz") as made:
        made.add(folder / "stroppy", "./stroppy")


def task(path: Path) -> tuple[str, Mapping[str, Any]]:
    """Where the load runs, and what the action `load` is given."""
    (plan,) = compile_suite(load_suite(path), step_types())
    text = plan.files[plan.steps[-1].playbook].replace("!unsafe ", "")
    play = yaml.safe_load(text)[-1]
    (found,) = play["tasks"]
    return play["hosts"], found["load"]


def test_it_runs_on_the_first_node_that_is_labelled_for_it(tmp_path: Path) -> None:
    hosts, load = task(suite(tmp_path, vus=2, duration_seconds=30, scale=3))
    assert hosts == "c11"
    assert load["tool"] == "stroppy"
    request = json.loads(load["files"]["request.json"])
    assert request == {
        "binary": "/usr/local/bin/stroppy",
        "workload": "tpcb/tx",
        "driver": "pg",
        "url": "@URL@",
        "scale": 3,
        "vus": 2,
        "duration_seconds": 30.0,
        "on_error": "continue",
        "require_compliance": False,
    }
    assert load["keep"] == ["stroppy-run.json", "summary.json"]
    assert load["timeout_seconds"] > 30 + 3 * 60


def test_it_may_run_on_the_controller_or_a_database_node(tmp_path: Path) -> None:
    hosts, load = task(suite(tmp_path, on="controller"))
    assert hosts == "localhost"
    assert json.loads(load["files"]["request.json"])["binary"] == "stroppy"
    assert task(suite(tmp_path, clients=0))[0] == "n11"
    assert task(suite(tmp_path, on="n11"))[0] == "n11"


def test_a_configuration_beside_the_suite_is_copied(tmp_path: Path) -> None:
    (tmp_path / "my.json").write_text("{}")
    _, load = task(suite(tmp_path, config="my.json", environment={"LOG_LEVEL": "debug"}))
    assert load["copies"] == {"stroppy-config.json": "my.json"}
    assert load["env"] == {"LOG_LEVEL": "debug"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"steps": ["a"], "no_steps": ["b"]}, "give one of them"),
        ({"iterations": 3, "duration_seconds": 3}, "give one of them"),
        ({"driver_options": {"url": "postgres://x"}}, "the test's database"),
        ({"driver_options": {"authPassword": "x"}}, "would be in the plan"),
        ({"environment": {"STROPPY_DRIVER_0": "{}"}}, "STROPPY_DRIVER_N"),
        ({"vus": 0}, "greater than or equal to 1"),
        ({"workload": "-f x"}, "pattern"),
    ],
)
def test_what_cannot_be_is_refused(wrong: Mapping[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RunStroppyOptions.model_validate({"step": "run_stroppy", "workload": "tpcb/tx", **wrong})


def test_a_program_that_was_never_made_here_is_asked_when_it_runs(tmp_path: Path) -> None:
    archive(tmp_path)
    assert load_suite(suite(tmp_path, params={"vuss": 1})).tests


@pytest.mark.parametrize(
    ("wrong", "where", "words"),
    [
        ({"params": {"vuss": 1}}, "vuss: 1", "did you mean 'vus'?"),
        ({"workload": "tpcx/tx"}, "workload: tpcx/tx", "did you mean 'tpcb/tx'?"),
        ({"steps": ["load_dat"]}, "- load_dat", "did you mean 'load_data'?"),
        ({"driver_options": {"errorMode": "logg"}}, "errorMode: logg", "one of log, fail"),
        ({"scale": 2}, "scale: 2", "has no parameter 'scale-factor'"),
    ],
)
def test_what_the_program_at_hand_would_not_take_is_told_with_its_line(
    tmp_path: Path, wrong: Mapping[str, Any], where: str, words: str
) -> None:
    archive(tmp_path)
    source = Source(archive="stroppy.tar.gz", folder=str(tmp_path))
    assert program(source, platform.machine()) is not None
    path = suite(tmp_path, **wrong)
    line = next(
        number
        for number, text in enumerate(path.read_text().splitlines(), start=1)
        if text.strip().removeprefix("- ") == where.removeprefix("- ")
    )
    with pytest.raises(SuiteError) as caught:
        load_suite(path)
    assert f"suite.yaml:{line}:" in str(caught.value)
    assert words in str(caught.value)
    assert load_suite(suite(tmp_path, vus=2, duration_seconds=5)).tests
