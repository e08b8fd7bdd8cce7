"""What pytest collects of suites, how it is marked, and what is said of a suite or an option that is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from plugin_project import LOADED, PLAIN, SITES, arguments, only_run, order_of_first_cycle, said, session

REPOSITORY = Path(__file__).resolve().parents[3]
pytest_plugins = ["pytester"]
BOTH = ("--primary-context", "site_b", "--secondary-context", "site_a")
TESTS = ["first", "second[how=ssh]", "second[how=destroy]"]


@pytest.fixture(autouse=True)
def without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PRIMARY_CONTEXT", "SECONDARY_CONTEXT", "CYCLES", "DRY_RUN", "PROVIDER", "ALLOW_PLUGINS"):
        monkeypatch.delenv(f"E2E_{name}", raising=False)


def collected(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line]


def test_each_test_of_a_suite_is_an_item_and_other_files_are_not(pytester: pytest.Pytester) -> None:
    (pytester.path / "crash.e2e.yaml").write_text(PLAIN)
    (pytester.path / "other.yaml").write_text(PLAIN)
    result = session(pytester, "--collect-only", "-q")
    assert collected(result) == [f"crash.e2e.yaml::{name}" for name in TESTS]
    assert collected(session(pytester, "--collect-only", "-q", "-m", "not e2e")) == []


def test_globs_of_suites_are_a_setting(pytester: pytest.Pytester) -> None:
    (pytester.path / "crash.e2e.yaml").write_text(PLAIN)
    (pytester.path / "suites").mkdir()
    (pytester.path / "suites/other.yaml").write_text(PLAIN)
    pytester.makeini("[pytest]\ne2e_suites = suites/*.yaml\n")
    assert collected(session(pytester, "--collect-only", "-q")) == [
        f"suites/other.yaml::{name}" for name in TESTS
    ]


def test_a_suite_that_is_named_is_collected_whatever_its_name(pytester: pytest.Pytester) -> None:
    (pytester.path / "other.yaml").write_text(PLAIN)
    assert collected(session(pytester, "--collect-only", "-q", "other.yaml::first")) == ["other.yaml::first"]


def test_a_named_file_of_something_else_is_left_to_others(pytester: pytest.Pytester) -> None:
    (pytester.path / "stages.yaml").write_text("stages: [{name: another plugin}]\n")
    result = session(pytester, "stages.yaml")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    assert "error: a suite" not in said(result)


def test_neither_inventories_nor_what_runs_have_left_are_suites(pytester: pytest.Pytester) -> None:
    (pytester.path / "crash.e2e.yaml").write_text(PLAIN)
    (pytester.path / "nodes.e2e.yml").write_text("plugin: e2e\nprovider: local\n")
    session(pytester, "--e2e-dry-run", "crash.e2e.yaml::first").assert_outcomes(skipped=1)
    (only_run(pytester) / "tests/kept.e2e.yaml").write_text(PLAIN)
    (only_run(pytester) / "run.lock").touch()  # whatever was run has it
    result = session(pytester, "--collect-only", "-q")
    assert result.ret is pytest.ExitCode.OK
    assert collected(result) == [f"crash.e2e.yaml::{name}" for name in TESTS]


def test_problems_of_a_suite_are_an_error_with_their_lines(pytester: pytest.Pytester) -> None:
    (pytester.path / "bad.e2e.yaml").write_text(
        "test_suites:\n"
        "  one:\n"
        "    workflow:\n"
        "      - {step: deplyo}\n"
        "      - {step: validate, checks: [cluster_statu]}\n"
    )
    result = session(pytester)
    result.assert_outcomes(errors=1)
    assert "bad.e2e.yaml:4:16: error: unknown step type 'deplyo'" in said(result)
    assert "bad.e2e.yaml:5:35: error: unknown check 'cluster_statu'" in said(result)
    assert "did you mean 'deploy'?" in said(result)
    assert "Traceback" not in said(result)
    assert "load.py" not in said(result)


# ---- contexts


def test_without_contexts_a_suite_with_sites_is_skipped_and_says_why(pytester: pytest.Pytester) -> None:
    (pytester.path / "sites.e2e.yaml").write_text(SITES)
    result = session(pytester, "-rs", "sites.e2e.yaml::sites")
    result.assert_outcomes(skipped=1)
    assert "no contexts: --primary-context and --secondary-context" in said(result)
    assert "site_a and site_b" in said(result)
    assert not (pytester.path / "runs").exists()


def test_a_dry_run_takes_the_order_of_the_suite(pytester: pytest.Pytester) -> None:
    (pytester.path / "sites.e2e.yaml").write_text(SITES)
    result = session(pytester, "-rs", "--e2e-dry-run", "--e2e-cycles", "2", "sites.e2e.yaml::sites")
    result.assert_outcomes(skipped=1)
    assert "2 cycles rehearsed, and nothing was tested" in said(result)
    assert order_of_first_cycle(only_run(pytester)) == ("site_a", "site_b")


@pytest.mark.parametrize("by", ["options", "environment"])
def test_contexts_are_of_suites_with_sites_only(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    (pytester.path / "sites.e2e.yaml").write_text(SITES)
    if by == "environment":
        monkeypatch.setenv("E2E_PRIMARY_CONTEXT", "site_b")
        monkeypatch.setenv("E2E_SECONDARY_CONTEXT", "site_a")
    words = BOTH if by == "options" else ()
    result = session(pytester, "--e2e-dry-run", "--e2e-cycles", "1", "--e2e-output-dir", "out", *words)
    result.assert_outcomes(skipped=2)
    found = {order_of_first_cycle(run) for run in (pytester.path / "out").iterdir()}
    assert found == {("site_b", "site_a"), ("", "")}


def test_a_context_that_does_not_exist_is_an_error_with_the_nearest(pytester: pytest.Pytester) -> None:
    (pytester.path / "sites.e2e.yaml").write_text(SITES)
    result = session(pytester, "--primary-context", "site_a", "--secondary-context", "sit_b")
    result.assert_outcomes(errors=1)
    assert "this test has no context 'sit_b'" in said(result)
    assert "did you mean 'site_b'?" in said(result)


def test_one_context_alone_is_refused(pytester: pytest.Pytester) -> None:
    result = session(pytester, "--primary-context", "site_a")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    assert "--secondary-context is missing" in said(result)


def test_tests_in_python_get_contexts_or_are_skipped(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(
        "def test_order(primary_context, secondary_context):\n"
        "    assert (primary_context, secondary_context) == ('site_b', 'site_a')\n"
    )
    session(pytester, *BOTH).assert_outcomes(passed=1)
    result = session(pytester, "-rs")
    result.assert_outcomes(skipped=1)
    assert "no contexts: give --primary-context" in said(result)
    monkeypatch.setenv("E2E_PRIMARY_CONTEXT", "site_a")
    monkeypatch.setenv("E2E_SECONDARY_CONTEXT", "site_b")
    session(pytester, *BOTH).assert_outcomes(passed=1)
    session(pytester).assert_outcomes(failed=1)


# ---- options


def test_the_method_and_the_fate_of_the_old_primary_are_variables(pytester: pytest.Pytester) -> None:
    (pytester.path / "sites.e2e.yaml").write_text(SITES)
    words = (*BOTH, "--e2e-dry-run", "--e2e-method", "full", "--e2e-old-hub-action", "decommission")
    session(pytester, *words, "sites.e2e.yaml::sites").assert_outcomes(skipped=1)
    assert arguments(only_run(pytester)) == {"echo", "site_b", "full", "decommission"}


def test_a_suite_with_sites_must_have_the_variables_that_are_set(pytester: pytest.Pytester) -> None:
    (pytester.path / "sites.e2e.yaml").write_text(SITES.replace("old_primary", "old_primry"))
    result = session(pytester, *BOTH, "--e2e-old-primary", "none")
    result.assert_outcomes(errors=1)
    assert "this test has no variable 'old_primary'" in said(result)
    assert "did you mean 'old_primry'?" in said(result)


def test_cycles_and_injections_are_marked(pytester: pytest.Pytester) -> None:
    (pytester.path / "crash.e2e.yaml").write_text(PLAIN)
    only = ("--collect-only", "-q", "-m", "e2e_soak")
    assert collected(session(pytester, *only)) == []
    assert len(collected(session(pytester, *only, "--e2e-cycles", "2"))) == 3
    assert collected(session(pytester, "--collect-only", "-q", "-m", "resilience", "--e2e-cycles", "2")) == []
    words = ("--collect-only", "-q", "-m", "resilience and e2e_soak", "--e2e-inject-failure", "random")
    assert len(collected(session(pytester, *words))) == 3


def test_what_shares_nodes_is_a_group_for_workers(pytester: pytest.Pytester) -> None:
    (pytester.path / "crash.e2e.yaml").write_text(PLAIN)
    pytester.makepyfile(
        "def test_one(e2e_cluster): pass\ndef test_two(e2e_cluster): pass\ndef test_three(e2e_run): pass\n"
    )
    only = ("--collect-only", "-q", "-m")
    found = collected(session(pytester, *only, "xdist_group"))
    assert [name.rpartition("::")[2] for name in found] == ["test_one", "test_two"]
    assert len(collected(session(pytester, *only, "xdist_group", "--e2e-cycles", "2"))) == 5
    assert len(collected(session(pytester, *only, "e2e"))) == 6


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--e2e-cycles", "0"), "--e2e-cycles: '0' is no whole number of 1 or more"),
        (("--e2e-run-hours", "0"), "--e2e-run-hours: '0' is no number above 0"),
        (("--e2e-max-nodes", "x"), "--e2e-max-nodes: 'x' is no whole number of 1 or more"),
        (("--e2e-method", "ful"), "did you mean 'full'?"),
        (("--e2e-keep", "on_failure"), "did you mean 'on-failure'?"),
        (("--e2e-output-dir", ""), "--e2e-output-dir: it is empty"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_collected(
    pytester: pytest.Pytester, words: tuple[str, ...], told: str
) -> None:
    result = session(pytester, *words)
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    assert told in said(result)


def test_a_wrong_variable_matters_only_where_there_are_suites(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2E_CYCLES", "many")
    pytester.makepyfile("def test_it(): pass")
    session(pytester).assert_outcomes(passed=1)
    (pytester.path / "crash.e2e.yaml").write_text(PLAIN)
    result = session(pytester)
    result.assert_outcomes(errors=1)
    assert "E2E_CYCLES: 'many' is no whole number" in said(result)


def test_a_provider_that_does_not_exist_is_an_error(pytester: pytest.Pytester) -> None:
    (pytester.path / "crash.e2e.yaml").write_text(PLAIN)
    result = session(pytester, "--e2e-provider", "azur")
    result.assert_outcomes(errors=1)
    assert "did you mean 'azure'?" in said(result)


def test_what_cannot_be_injected_is_an_error_before_anything_begins(pytester: pytest.Pytester) -> None:
    (pytester.path / "crash.e2e.yaml").write_text(SITES)
    words = ("--e2e-dry-run", "--e2e-inject-failure", "pause-backu", "crash.e2e.yaml::plain")
    result = session(pytester, *words)
    result.assert_outcomes(errors=1)
    assert "pause-backup" in said(result) or "pause_backup" in said(result)
    assert not (pytester.path / "runs").exists()


def test_a_dry_run_without_cycles_writes_the_plan_and_passes_nothing(pytester: pytest.Pytester) -> None:
    (pytester.path / "crash.e2e.yaml").write_text(PLAIN)
    result = session(pytester, "-rs", "--e2e-dry-run", "crash.e2e.yaml::first")
    result.assert_outcomes(skipped=1)
    assert "dry run: compiled, and no node was made" in said(result)
    assert (only_run(pytester) / "tests/first/plan/plan.json").is_file()


# ---- what everybody pays


def test_the_package_names_the_plugin() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"e2e_ansible": "e2e_ansible.pytest_plugin"}
    assert not [each for each in project["dependencies"] if each.startswith("pytest")]


def test_a_project_without_suites_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    ask = (
        "import sys, pytest\n"
        f"code = pytest.main({[*LOADED, '-q', '-p', 'no:cacheprovider', '--e2e-cycles', '2']!r})\n"
        "heavy = {'ansible', 'ansible_runner', 'pydantic', 'psycopg', 'jinja2', 'typer', 'e2e_ansible.api'}\n"
        "print(int(code), sorted(heavy & set(sys.modules)))\n"
    )
    bare = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=tmp_path, env=bare, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []"


def test_every_option_is_documented_with_its_variable() -> None:
    from e2e_ansible.pytest_plugin.options import OPTIONS

    page = (REPOSITORY / "docs/pytest.md").read_text()
    named = [name for option in OPTIONS for name in (*option.names, *option.variables)]
    assert [name for name in named if f"`{name}" not in page] == []
