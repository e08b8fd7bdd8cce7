"""The golden playbooks as Ansible sees them: right in syntax, lint, meaning and arguments; some are really run.

No node is needed. Each plan of tests/golden becomes a folder as a run makes it, with the roles and plugins of here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import is_trusted_as_template, trust_as_template

from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Cancel, Ended, PlayRequest
from e2e_ansible.engine.runner import RunnerEngine
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType, Unsafe
from e2e_ansible.steps.group import Composition
from e2e_ansible.suite.load import load_suite
from e2e_ansible.suite.reference import StepReference, split_references
from e2e_ansible.suite.vocabulary import Vocabulary

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDEN = REPOSITORY / "tests" / "golden"
CASES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())
PLAYBOOKS = sorted(path.relative_to(GOLDEN).as_posix() for path in GOLDEN.glob("*/.plan/playbooks/*.yml"))
#: ansible-lint does not know that `!unsafe` text is no template, and dislikes tabs even in the text of a user.
MISTAKEN = {
    "hostile-text/playbooks/01-custom-command.yml": ("jinja[invalid]", "jinja[spacing]", "no-tabs"),
    "run-load/playbooks/01-run-load.yml": ("jinja[invalid]",),
    "run-stroppy/playbooks/01-run-stroppy.yml": ("jinja[invalid]",),
}


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the machine: no deployments, no configuration, no collections."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "HOME": str(folder),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "E2E_ANSIBLE_HOME": str(folder / "deployments"),
        "E2E_DEPLOYMENT": "golden",
        "E2E_SUITE_FOLDER": str(folder),
    }


def add_content(folder: Path) -> None:
    folder.joinpath("content").mkdir()
    for name in ("roles", "plugins"):
        folder.joinpath("content", name).symlink_to(REPOSITORY / name)


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plan folder for each case; it is one itself, so that all can be linted at once."""
    root = tmp_path_factory.mktemp("plans")
    add_content(root)
    shutil.copy(GOLDEN / CASES[0] / ".plan" / "ansible.cfg", root)
    for case in CASES:
        shutil.copytree(GOLDEN / case / ".plan", root / case)
        add_content(root / case)
    return root


def ansible(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False, timeout=900
    )


@pytest.mark.parametrize("case", CASES)
def test_the_syntax_is_right(case: str, plans: Path) -> None:
    playbooks = sorted(path.relative_to(plans / case) for path in (plans / case / "playbooks").iterdir())
    done = ansible(plans / case, "ansible-playbook", "--syntax-check", *map(str, playbooks))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("playbook: ") == len(playbooks)


def test_ansible_lint_has_nothing_to_say(plans: Path) -> None:
    playbooks = [path.replace("/.plan/", "/") for path in PLAYBOOKS]
    lines = [f"{path} {rule} skip\n" for path, rules in MISTAKEN.items() for rule in rules]
    (plans / "ignore").write_text("".join(lines))
    config = ("-c", str(REPOSITORY / ".ansible-lint"), "-i", "ignore")
    done = ansible(
        plans, "ansible-lint", "--offline", "--profile", "production", "--nocolor", *config, *playbooks
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (processed,) = re.findall(r"in (\d+) files processed", done.stderr)
    assert int(processed) >= len(playbooks)


@dataclass
class Recorder:
    """A step type that keeps what it compiled."""

    inner: StepType[Any]
    made: list[CompiledStep] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def compile(self, options: Any, context: CompileContext) -> CompiledStep:
        self.made.append(self.inner.compile(options, context))
        return self.made[-1]


def plays_of(case: str) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """The playbooks of a case and the plays that were written into each."""
    words = Vocabulary.default()
    (suite_file,) = GOLDEN.joinpath(case).glob("suite.*")
    made: list[CompiledStep] = []
    recorders: Any = {
        name: inner if isinstance(inner, Composition) else Recorder(inner, made)
        for name, inner in words.step_types.items()
    }
    (plan,) = compile_suite(load_suite(suite_file, vocabulary=words), recorders)
    for step, compiled in zip(plan.steps, made, strict=True):
        yield step.playbook, compiled.plays


@pytest.mark.parametrize("case", CASES)
def test_ansible_reads_the_plays_that_were_meant(case: str, plans: Path) -> None:
    for playbook, meant in plays_of(case):
        text = (plans / case / playbook).read_text(encoding="utf-8")
        found = DataLoader().load(trust_as_template(text))
        assert len(found) == len(meant)
        for one, other in zip(found, meant, strict=True):
            assert_same(one, dict(other))


def assert_same(found: Any, meant: Any) -> None:
    if isinstance(meant, dict):
        extra = {"vars_files"} if "vars_files" in found and "hosts" in found else set()
        assert set(found) == set(meant) | extra
        for key, item in meant.items():
            assert_same(found[key], item)
    elif isinstance(meant, (list, tuple)):
        assert len(found) == len(meant)
        for one, other in zip(found, meant, strict=True):
            assert_same(one, other)
    elif isinstance(meant, Unsafe):
        assert_user_text(found, meant)
    else:
        assert found == meant
        assert isinstance(found, type(meant))


def assert_user_text(found: Any, meant: Unsafe) -> None:
    """User text is the same text, and no template, unless it refers to the output of an earlier step."""
    parts = split_references(meant)
    assert isinstance(found, str)
    if any(isinstance(part, StepReference) for part in parts):
        assert is_trusted_as_template(found)
        return
    assert found == "".join(map(str, parts))
    assert not is_trusted_as_template(found) or not any(mark in found for mark in ("{{", "{%", "{#"))


@pytest.mark.parametrize("path", PLAYBOOKS)
def test_roles_get_the_arguments_that_they_declare(path: str) -> None:
    for play in DataLoader().load_from_file(str(GOLDEN / path)):
        for role in play.get("roles", ()):
            meta = REPOSITORY / "roles" / role["role"] / "meta" / "argument_specs.yml"
            specification = yaml.safe_load(meta.read_text())["argument_specs"]["main"]["options"]
            result = ArgumentSpecValidator(specification).validate(dict(role.get("vars", {})))
            assert not result.error_messages, role


def test_a_playbook_runs_by_hand_as_its_first_lines_say(plans: Path) -> None:
    header = (plans / "init" / "playbooks" / "01-init.yml").read_text().splitlines()
    assert header[3] == "#   E2E_DEPLOYMENT=NAME ansible-playbook playbooks/01-init.yml"
    done = ansible(plans / "init", *header[3].split()[2:], "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=1" in done.stdout


def run(folder: Path, playbook: str, artifacts: Path) -> list[Event]:
    events: list[Event] = []
    request = PlayRequest(
        project=folder,
        playbook=f"playbooks/{playbook}.yml",
        inventory="inventory/nodes.e2e.yml",
        artifacts=artifacts,
        deadline_seconds=60,
        token=f"golden-{os.getpid()}",
        environment=environment(artifacts),
    )
    outcome = RunnerEngine().run(request, events.append, Cancel())
    log = (artifacts / "ansible.log").read_text() if (artifacts / "ansible.log").exists() else ""
    assert (outcome.ended, outcome.rc) == (Ended.COMPLETED, 0), f"{outcome}\n{log}"
    return events


def printed(events: Sequence[Event]) -> str:
    (output,) = [event.result["stdout"] for event in events if event.kind is Kind.OK]
    return str(output)


def words_of(case: str, step: int) -> list[str]:
    suite = json.loads((GOLDEN / case / "suite.json").read_text())
    (test,) = suite["test_suites"].values()
    return list(test["workflow"][step]["custom_command"])


def test_hostile_arguments_arrive_as_they_are_written(plans: Path, tmp_path: Path) -> None:
    program, format_, *arguments = words_of("hostile-text", 0)
    assert (program, format_) == ("printf", "%s\\n")
    events = run(plans / "hostile-text", "01-custom-command", tmp_path)
    assert printed(events) == "\n".join(arguments)


def test_registered_output_stays_inert(plans: Path, tmp_path: Path) -> None:
    hostile = "{{ 7*7 }} {% raw %} it's\n"
    registered = {"stdout": {"__ansible_unsafe": hostile}, "stderr": {"__ansible_unsafe": ""}, "rc": 0}
    folder = plans / "hostile-text"
    (folder / "registered.json").write_text(json.dumps({"e2e_registered": {"who": registered}}))
    events = run(folder, "04-custom-command", tmp_path)
    arguments = [
        word.replace("${steps.who.stdout}", hostile).replace("${steps.who.rc}", "0")
        for word in words_of("hostile-text", 3)[2:]
    ]
    assert any("{{ 7*7 }}" in word for word in arguments)
    assert printed(events) == "\n".join(arguments).rstrip("\n")
    assert "49" not in printed(events)
