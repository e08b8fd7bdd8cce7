"""Which Stroppy the tests use: the double only where Go says that the real one is not to be had, and it is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import stroppy_stand_in
from go_module import GoModule, serve_module
from role_nodes import REPOSITORY
from which_stroppy import choose

from e2e_ansible.artifacts import golang
from e2e_ansible.steps.stroppy_install import PINNED_COMMIT

BROKEN = "package main\n\nfunc main() { nonsense() }\n"
OTHER = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("something else") }\n'


@pytest.fixture(autouse=True)
def _nothing_was_made_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_ANSIBLE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("STROPPY", raising=False)
    use(serve_module(tmp_path / "empty"), monkeypatch)


def use(module: GoModule, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in module.environment.items():
        monkeypatch.setenv(name, value)


def test_it_is_the_double_where_go_cannot_get_the_real_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = choose(tmp_path)
    assert f"a double, because Go cannot get github.com/stroppy-io/stroppy@{PINNED_COMMIT}" in chosen.title
    assert (chosen.real, chosen.error) == (False, "")
    assert subprocess.run([chosen.path, "version"], capture_output=True, text=True, check=True).stdout
    monkeypatch.setattr(golang, "go_program", lambda: pytest.fail("Go was asked again"))
    assert choose(tmp_path) == chosen


@pytest.mark.parametrize("wanted", ["pinned", "0123456789ab", "/nowhere/stroppy"])
def test_no_double_is_taken_for_what_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setenv("STROPPY", wanted)
    chosen = choose(tmp_path)
    assert chosen.error
    assert chosen.title.startswith("Stroppy: none, because ")


@pytest.mark.parametrize(
    ("main", "why"), [(BROKEN, "undefined: nonsense"), (OTHER, "is no Stroppy of a known kind")]
)
def test_one_that_is_there_and_broken_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, main: str, why: str
) -> None:
    use(serve_module(tmp_path / "proxy", main=main, version=PINNED_COMMIT), monkeypatch)
    chosen = choose(tmp_path)
    assert why in chosen.error
    assert "none, because" in chosen.title


def test_a_machine_without_go_is_a_failure_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(golang, "_USUAL", str(tmp_path))
    chosen = choose(tmp_path)
    assert "there is no program `go`" in chosen.title
    assert "golang-go" in chosen.error


def test_a_program_that_is_named_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STROPPY", stroppy_stand_in.__file__)
    chosen = choose(tmp_path)
    assert chosen.title == f"Stroppy: {stroppy_stand_in.__file__}, go dialect"
    assert (chosen.real, chosen.error) == (True, "")


def test_the_summary_tells_it_once_whoever_used_it() -> None:
    file = "tests/integration/test_run_stroppy.py"
    words = ["-p", "no:cacheprovider", "-q", "-n1", f"{file}::test_the_program_is_what_the_summary_says"]
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("Stroppy: ")]
    assert line.startswith("Stroppy: a double, because Go cannot get ")
