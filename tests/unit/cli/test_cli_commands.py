"""Each command as it should be used: what it prints where, what it writes, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cli_desk import EVENTS, FINE, REPOSITORY, Desk, recorded

from e2e_ansible import __version__
from e2e_ansible.cli.app import app
from e2e_ansible.providers import registry
from e2e_ansible.suite.schema import schema

CASES = sorted(path.parent.name for path in EVENTS.glob("*/journal.jsonl"))
CODES = {"product": 1, "infrastructure": 4, "harness": 5}
COMMANDS = [
    command.name or command.callback.__name__ for command in app.registered_commands if command.callback
]
TWO_TESTS = """
test_suites:
  first: {description: One, workflow: [{step: deploy}]}
  second: {description: "Zwei, größer", provider: aws, workflow: [{step: deploy}, {step: destroy}]}
"""


def test_the_version_is_all_that_it_prints(desk: Desk) -> None:
    done = desk.call("--version")
    assert (done.code, done.out, done.err) == (0, f"{__version__}\n", "")


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("command", [(), *[(name,) for name in COMMANDS]])
def test_help_goes_to_standard_output(desk: Desk, command: tuple[str, ...], option: str) -> None:
    done = desk.call(*command, option)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: e2e-ansible {' '.join(command)}".rstrip())


def test_help_names_every_command_and_every_exit_code(desk: Desk) -> None:
    words = desk.call("--help").out.replace(",", " ").split()
    assert set(COMMANDS) | {"0", "1", "2", "3", "4", "5", "6", "130"} <= set(words)


def test_validate_counts_what_it_found_fine(desk: Desk) -> None:
    desk.write("some/a.yaml", TWO_TESTS)
    desk.write("some/b.json", json.dumps(yaml.safe_load(FINE)))
    desk.write("some/notes.txt", "no suite")
    before = desk.state()
    done = desk.call("validate", "some")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "some/a.yaml: fine, tests: 2, steps: 3",
        "some/b.json: fine, tests: 1, steps: 2",
    ]
    assert desk.state() == before


def test_list_is_a_table_or_a_json_object_per_line(desk: Desk) -> None:
    desk.write("suite.yaml", TWO_TESTS)
    table = desk.call("list", "suite.yaml").out.splitlines()
    assert [line.split()[0] for line in table] == ["name", "first", "second"]
    assert table[2].endswith("Zwei, größer")
    done = desk.call("list", "suite.yaml", "--json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [(row["name"], row["provider"], row["steps"], row["line"]) for row in rows] == [
        ("first", "local", 1, 3),
        ("second", "aws", 2, 4),
    ]
    assert rows[1]["description"] == "Zwei, größer"


def test_plan_writes_playbooks_into_a_folder_and_nothing_else(desk: Desk) -> None:
    desk.write("one.yaml", FINE)
    done = desk.call("plan", "one.yaml", "-o", "deep/plan")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("deep/plan: one, 2 steps, ")
    assert sorted(path.name for path in Path("deep/plan/playbooks").iterdir())[:2] == [
        "01-deploy.yml",
        "02-validate.yml",
    ]
    assert sorted(path.name for path in Path().iterdir()) == ["deep", "one.yaml"]


def test_plan_makes_one_folder_for_each_of_several_tests(desk: Desk) -> None:
    desk.write("two.yaml", TWO_TESTS)
    Path("plan").mkdir()
    assert desk.call("plan", "two.yaml", "-o", "plan").code == 0
    assert sorted(path.name for path in Path("plan").iterdir()) == ["first", "second"]
    assert desk.call("plan", "two.yaml", "-o", "one", "--run-test", "second").code == 0
    assert Path("one/plan.json").is_file()


def test_a_dry_run_makes_the_run_folder_with_its_plans_and_no_node(desk: Desk, tmp_path: Path) -> None:
    desk.write("one.yaml", FINE)
    done = desk.call("run", "one.yaml", "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "dry run: no node was made"
    (run,) = Path("runs").iterdir()
    assert f"plan {run}/tests/one/plan" in done.out
    assert (run / "tests/one/plan/playbooks/01-deploy.yml").is_file()
    assert not (tmp_path / "home").exists()


def test_a_dry_run_in_json_is_one_plan_per_line_with_the_hash_of_the_command_plan(desk: Desk) -> None:
    desk.write("two.yaml", TWO_TESTS.replace("aws", "local"))
    done = desk.call("run", "two.yaml", "--dry-run", "--json")
    first, second = [json.loads(line) for line in done.out.splitlines()]
    assert ([step["id"] for step in first["steps"]], second["name"]) == (["01-deploy"], "second")
    planned = desk.call("plan", "two.yaml", "-o", "plan").out.split()
    assert {first["hash"], second["hash"]} < set(planned)


@pytest.mark.parametrize("option", ["--only-provider", "--provider"])
def test_a_provider_that_can_only_be_planned_for_is_not_run(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.delitem(registry._DRIVERS, "aws")
    desk.write("two.yaml", TWO_TESTS)
    before = desk.state()
    done = desk.call("run", "two.yaml", option, "aws")
    assert (done.code, done.out) == (2, "")
    assert "aws" in done.err
    assert desk.state() == before


@pytest.mark.parametrize("case", CASES)
def test_report_tells_the_result_that_the_run_had(desk: Desk, case: str) -> None:
    run = desk.a_run(case)
    expected = recorded(case)
    code = CODES[str(expected.cause)] if expected.cause else 0
    done = desk.call("report", str(run), "--json")
    assert (done.code, done.err) == (code, "")
    (line,) = done.out.splitlines()
    told = json.loads(line)
    assert told["tests"] == [json.loads(expected.model_dump_json())]
    assert told == json.loads((desk.folder / run / "result.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_the_summary_tells_each_step_with_its_verdict(desk: Desk, case: str) -> None:
    done = desk.call("report", str(desk.a_run(case)), "-v")
    lines = [line.split() for line in done.out.splitlines()]
    for step in recorded(case).workflow_steps:
        row = next(words for words in lines if words[:2] == [str(step.index), step.step_type])
        assert row[-1] == (step.verdict or step.status), row
    assert recorded(case).verdict.value.upper() in done.out.rpartition("1 test: ")[0].splitlines()[-1]


def test_a_report_twice_is_the_same(desk: Desk) -> None:
    run = desk.a_run("failing_check")
    first = desk.call("report", str(run))
    before = desk.state()
    assert desk.call("report", str(run)) == first
    assert desk.state() == before
    assert {"result.json", "junit.xml", "report.html"} < {path.name for path in run.iterdir()}


@pytest.mark.parametrize("named", ["runs/20261121-120000-abcdef", "20261121-120000-abcdef", None])
def test_a_run_is_found_by_path_by_name_or_because_it_is_the_newest(desk: Desk, named: str | None) -> None:
    desk.a_run("survives", name="20261120-235959-ffffff")
    desk.a_run("failing_check")
    dry = desk.write("runs/20261122-000000-000000/run.json", "")
    dry.write_text(json.dumps({"run_id": dry.parent.name, "suite": "x", "started": 1, "dry_run": True}))
    done = desk.call("report", *([named] if named else []), "--json")
    assert (done.code, json.loads(done.out)["run_id"]) == (1, "20261121-120000-abcdef")


def test_tests_that_never_began_are_no_pass(desk: Desk) -> None:
    done = desk.call("report", str(desk.a_run("survives", later=["second"])))
    assert done.code == 130
    assert "UNKNOWN, interrupt" in done.out
    assert "Not run: second" in done.out
    assert "e2e-ansible rerun 20261121-120000-abcdef --failed" in done.out


def test_rerun_of_what_failed_has_nothing_to_do_after_a_pass(desk: Desk) -> None:
    done = desk.call("rerun", str(desk.a_run("survives")), "--failed")
    assert (done.code, done.out) == (0, "")
    assert "nothing to run again" in done.err


def test_rerun_reads_the_suite_as_it_is_now(desk: Desk) -> None:
    run = desk.a_run("failing_check")
    desk.write("recorded.yaml", "test_suites: {failing_check: {workflow: [{step: deply}]}}")
    before = desk.state()
    done = desk.call("rerun", str(run))
    assert (done.code, done.out) == (2, "")
    assert "recorded.yaml:1:49: error: unknown step type 'deply'" in done.err
    desk.write("recorded.yaml", "test_suites: {failing_chek: {workflow: [{step: deploy}]}}")
    done = desk.call("rerun", str(run))
    assert (done.code, "did you mean 'failing_chek'?" in done.err) == (2, True)
    assert desk.state().keys() == before.keys()


def test_destroy_may_be_repeated_and_keeps_the_folder(desk: Desk) -> None:
    run = desk.a_run("survives")
    files = {path.name for path in run.iterdir()}
    for _ in range(2):
        done = desk.call("destroy", run.name)
        assert (done.code, done.out, done.err) == (0, "nothing was left to remove\n", "")
    assert files <= {path.name for path in run.iterdir()}


def test_after_destroy_nothing_is_said_to_go_on_until_it_does(desk: Desk) -> None:
    run = desk.a_run("survives")
    manifest = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**manifest, "ended": None}))
    words = (f"e2e-ansible resume {run.name}", f"e2e-ansible destroy {run.name}")
    assert all(each in desk.call("report", run.name).out for each in words)
    assert desk.call("destroy", run.name).code == 0
    assert not any(each in desk.call("report", run.name).out for each in words)
    for journal in run.glob("tests/*/journal.jsonl"):
        os.utime(journal, (2**32, 2**32))
    assert all(each in desk.call("report", run.name).out for each in words)


def test_schema_prints_json_and_nothing_else(desk: Desk) -> None:
    done = desk.call("schema")
    assert (done.code, json.loads(done.out), done.err) == (0, schema(), "")


def test_schema_has_the_words_of_code_beside_a_suite_only_with_leave(desk: Desk) -> None:
    suite = str(REPOSITORY / "examples/extending/suite.yaml")
    assert "no_failed_units" not in desk.start("schema", suite).out
    assert "no_failed_units" in desk.start("schema", suite, "--allow-plugins").out
    assert "no_failed_units" in desk.start("schema", suite, E2E_ALLOW_PLUGINS="1").out


def test_doctor_tells_what_is_missing_with_its_remedy(desk: Desk) -> None:
    done = desk.start("doctor", PATH="/nowhere")
    assert (done.code, done.err) == (4, "")
    lines = done.out.splitlines()
    missing = [line.split()[1] for line in lines if line.startswith("missing")]
    assert {"ssh", "systemd-nspawn", "gpg"} <= set(missing)
    assert f"{len(missing)} missing" in lines[-1]
    after = lines[lines.index(next(line for line in lines if line.split()[:2] == ["missing", "ssh"])) + 1]
    assert after.split() == ["apt-get", "install", "--yes", "openssh-client"]


def test_doctor_of_a_whole_machine_is_silent_about_remedies(desk: Desk) -> None:
    done = desk.start("doctor")
    marks = {line.split()[0] for line in done.out.splitlines() if line}
    assert (done.code == 0) == (marks == {"ok"}), done.out


def test_providers_says_of_each_power_operation_whether_it_is_there(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(registry._DRIVERS, "aws")
    done = desk.call("providers")
    assert (done.code, done.err) == (0, "")
    lines = [line.strip() for line in done.out.splitlines()]
    assert lines.index("local") < lines.index("aws (plan only)")
    assert {"yes", "no"} & {word for line in lines for word in line.split()} == {"yes", "no"}


def test_role_becomes_ansible_playbook_with_its_exit_status(desk: Desk) -> None:
    desk.write("hosts", "n11 ansible_connection=local\n")
    done = desk.start("role", "observe", "--on", "n99", "-i", "hosts")
    assert done.code not in (0, 2)
    assert "n99" in done.err
    seen = desk.start("role", "observe", "--on", "n11.invalid", "-i", "n11.invalid,")
    assert (seen.code, "PLAY [" in seen.out) == (0, True)


@pytest.mark.parametrize("command", [["schema"], ["providers"], ["list", "suite.yaml", "--json"]])
def test_a_reader_that_goes_away_is_no_error_to_tell(desk: Desk, command: list[str]) -> None:
    tests = [f"  t{number}: {{workflow: [{{step: deploy}}]}}" for number in range(2000)]
    desk.write("suite.yaml", "test_suites:\n" + "\n".join(tests) + "\n")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "e2e_ansible", *command],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode in (0, 1)
