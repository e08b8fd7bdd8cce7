"""The documentation is what the program says and does: commands parse, links lead somewhere, code is real."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
import yaml
from cli_desk import REPOSITORY, Desk
from pydantic import BaseModel

from e2e_ansible.cli.app import app
from e2e_ansible.cli.manual import EXAMPLES, manual
from e2e_ansible.judge.result import CheckResult, Failure, Proof, RunResult, StepResult, TestResult
from e2e_ansible.load import registry
from e2e_ansible.load.pgbench import Pgbench
from e2e_ansible.report.notice import Notice
from e2e_ansible.steps.registry import step_types
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.verdict import Cause, Status, Verdict, exit_code

DOCS = REPOSITORY / "docs"
PAGES = sorted([REPOSITORY / "README.md", *DOCS.glob("*.md"), *REPOSITORY.glob("examples/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INCLUDED = re.compile(r"^\[`[^`]+`\]\(([^)]+)\):\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OF_PLUGINS = {"docs/extending.md"}


def named(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def commands() -> Iterator[tuple[str, str]]:
    """Every command line of the documentation, with the page it is on."""
    for page in PAGES:
        text = page.read_text()
        lines = [line for _, block in BLOCK.findall(text) for line in block.splitlines()]
        quoted = re.findall(r"`(e2e-ansible [^`]+)`", BLOCK.sub("", text))
        found = [line.partition("#")[0].strip() for line in lines if line.startswith("e2e-ansible ")]
        for line in dict.fromkeys([*found, *quoted]):
            yield named(page), line


def usage(line: str) -> bool:
    """Whether this is a usage line, not a command to type."""
    return "[OPTIONS]" in line


@pytest.mark.parametrize(("page", "line"), [found for found in commands() if not usage(found[1])])
def test_a_command_line_parses(page: str, line: str) -> None:
    words = shlex.split(line.partition(">")[0].partition("|")[0])[1:]
    command: Any = typer.main.get_command(app)
    with contextlib.redirect_stderr(io.StringIO()):
        if words in (["--help"], ["--version"]):
            return
        name, chosen, rest = command.resolve_command(command.make_context("e2e-ansible", words[:1]), words)
        context = (
            chosen.make_context(name, rest, resilient_parsing=False) if rest or len(words) == 1 else None
        )
    assert chosen.name == words[0]
    assert context is not None or chosen.no_args_is_help, page


def test_there_are_commands_to_parse() -> None:
    assert {"e2e-ansible doctor --fix", "e2e-ansible report"} < {line for _, line in commands()}


def test_every_command_has_an_example_that_names_it() -> None:
    group: Any = typer.main.get_command(app)
    assert set(EXAMPLES) == set(group.commands)
    assert all(line.split()[1] == name for name, lines in EXAMPLES.items() for line in lines)


def test_every_option_has_help() -> None:
    group: Any = typer.main.get_command(app)
    params = [(name, param) for name, command in group.commands.items() for param in command.params]
    assert [(name, param.name) for name, param in params if not param.help] == []


def test_the_reference_of_commands_is_up_to_date() -> None:
    renew = "renew it: python -m e2e_ansible.cli.manual > docs/cli.md"
    assert (DOCS / "cli.md").read_text() == manual(), renew


def anchors(page: Path) -> set[str]:
    """What a link may name after `#`."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(BLOCK.sub("", page.read_text())):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_the_index() -> None:
    linked = {link.partition("#")[0] for link in LINK.findall((DOCS / "README.md").read_text())}
    assert {page.name for page in DOCS.glob("*.md")} - linked == {"README.md"}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_has_no_gaps_and_names_no_machine(page: Path) -> None:
    text = page.read_text()
    assert re.findall(r"<!--(?! Made by).*?-->", text) == []
    assert re.findall(r"(?<![\w.])/(?:root|home|tmp|work|Users)/\S*", text) == []


@pytest.mark.parametrize(
    ("page", "block"),
    [
        (named(page), block)
        for page in PAGES
        for kind, block in BLOCK.findall(page.read_text())
        if kind == "yaml"
    ],
)
def test_a_suite_in_the_text_is_right(page: str, block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if page in OF_PLUGINS:
        return
    monkeypatch.setitem(registry._registered, "statements", Pgbench())  # one that docs/load.md adds
    found = yaml.safe_load(block)
    suite = {"workflow": found} if isinstance(found, list) else found
    assert parse_suite(yaml.dump(suite).encode(), "example.yaml").tests


@pytest.mark.parametrize(
    "block",
    [block for page in PAGES for kind, block in BLOCK.findall(page.read_text()) if kind == "python"],
)
def test_python_in_the_text_is_python(block: str) -> None:
    assert ast.parse(block).body


def test_code_that_is_shown_is_that_of_the_file() -> None:
    shown = INCLUDED.findall((DOCS / "extending.md").read_text())
    assert len(shown) == 5
    for path, block in shown:
        assert (DOCS / path).read_text() == block, path


def fields(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)


@pytest.mark.parametrize("model", [RunResult, TestResult, StepResult, CheckResult, Failure, Proof])
def test_every_field_of_a_result_is_told(model: type[BaseModel]) -> None:
    words = set(re.findall(r"`(\w+)`", (DOCS / "results.md").read_text()))
    untold = {"infrastructure", "kind"} if model in (CheckResult, Failure) else set()
    assert fields(model) - words - untold == set()


def test_every_kind_of_notice_and_its_fields_are_told() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", (DOCS / "results.md").read_text(), re.MULTILINE))
    for notice in get_args(Notice):
        told = set(re.findall(r"`(\w+)`", rows[notice.model_fields["kind"].default]))
        assert fields(notice) - {"at", "kind"} <= told


def test_every_verdict_cause_and_status_is_told() -> None:
    text = (DOCS / "results.md").read_text()
    words = set(re.findall(r"`([\w-]+)`", text))
    assert {*Verdict, *Status, *Cause} <= words
    for cause in Cause:
        assert re.search(rf"^\| `{cause}` \| .* \| {exit_code(Verdict.FAIL, cause)} \|$", text, re.MULTILINE)


def test_the_readme_tells_every_step() -> None:
    words = set(re.findall(r"`(\w+)`", (REPOSITORY / "README.md").read_text()))
    assert set(step_types()) - words == set()


def test_the_readme_tells_every_exit_code_as_the_reference_does(desk: Desk) -> None:
    rows = [
        re.findall(r"^\| (\d+) \| (.*) \|$", path.read_text(), re.MULTILINE)
        for path in (REPOSITORY / "README.md", DOCS / "cli.md")
    ]
    assert rows[0] == rows[1]
    codes = re.findall(r"(\d+)\s+[a-z]", desk.call("--help").out.partition("Exit codes: ")[2])
    assert [int(code) for code, _ in rows[0]] == [int(code) for code in codes]
