"""Load tools from elsewhere: registered by a suite, and never able to break a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e_ansible.checks.custom import load_folder
from e2e_ansible.errors import SuiteError, UsageError
from e2e_ansible.load import registry
from e2e_ansible.load.base import LoadOutput, LoadTool
from e2e_ansible.load.registry import is_built_in, load_tools, read, register
from e2e_ansible.load.result import LoadResult

PLUGIN = """
from e2e_ansible.load.base import LoadOutput, LoadTool
from e2e_ansible.load.registry import register
from e2e_ansible.load.result import LoadResult


@register
class Mine(LoadTool):
    name = "{name}"
    summary = "Of a suite"

    def read(self, output: LoadOutput) -> LoadResult:
        return LoadResult(tool=self.name, workload="w", transactions=len(output.stdout), complete=True)
"""
OUTPUT = LoadOutput(tool="mine", argv=("mine",), exit_code=0, stdout="abc", started=1, ended=2, workload="w")


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_registered", {})
    yield


class Raising(LoadTool):
    name = "mine"
    summary = "Raises"

    def read(self, output: LoadOutput) -> LoadResult:
        raise RuntimeError("no idea")


def test_a_tool_of_a_suite_is_used_when_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "e2e_plugins").mkdir()
    (tmp_path / "e2e_plugins/mine.py").write_text(PLUGIN.format(name="mine"))
    load_folder(tmp_path, allowed=False)
    assert "mine" not in load_tools()
    load_folder(tmp_path, allowed=True)
    assert load_tools()["mine"].summary == "Of a suite"
    assert (read(OUTPUT).transactions, read(OUTPUT).complete) == (3, True)
    assert not is_built_in("mine")
    assert is_built_in("pgbench")


def test_no_tool_takes_the_name_of_another(tmp_path: Path) -> None:
    (tmp_path / "e2e_plugins").mkdir()
    (tmp_path / "e2e_plugins/mine.py").write_text(PLUGIN.format(name="pgbench"))
    with pytest.raises(SuiteError, match="pgbench"):
        load_folder(tmp_path, allowed=True)
    register(Raising)
    register(Raising)

    class Other(Raising):
        pass

    with pytest.raises(UsageError, match="exists already"):
        register(Other)


def test_a_reader_that_raises_or_says_nonsense_or_is_gone_makes_an_incomplete_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "no load tool 'mine'" in read(OUTPUT).meaning
    register(Raising)
    assert "RuntimeError: no idea" in read(OUTPUT).meaning
    monkeypatch.setattr(Raising, "read", lambda self, output: 3)
    found = read(OUTPUT)
    assert (found.complete, found.tool, found.workload, found.exit_code) == (False, "mine", "w", 0)
    assert "returned int" in found.meaning


# ---- the example


EXAMPLE = Path(__file__).parents[3] / "examples/extending/e2e_plugins/statements.py"
LOAD_MD = Path(__file__).parents[3] / "docs/load.md"


def test_the_example_reads_what_it_says_and_is_the_one_in_the_docs() -> None:
    exec(compile(EXAMPLE.read_text(), str(EXAMPLE), "exec"), {"__name__": "example"})
    said = OUTPUT.model_copy(
        update={"tool": "statements", "stdout": "120 statements in 4.0 s, slowest 12.5 ms\n"}
    )
    found = read(said)
    assert (found.transactions, found.per_second, found.latency.maximum, found.complete) == (
        120,
        30.0,
        12.5,
        True,
    )
    cut = read(said.model_copy(update={"stdout": "120 stat"}))
    assert (cut.complete, cut.meaning) == (False, "its last line is missing")
    assert EXAMPLE.read_text().rstrip() in LOAD_MD.read_text()
