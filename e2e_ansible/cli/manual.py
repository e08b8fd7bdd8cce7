"""The reference of all commands, made from the program: `python -m e2e_ansible.cli.manual > docs/cli.md`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from e2e_ansible.verdict import Cause, Verdict, exit_code

__all__ = ["EXAMPLES", "manual"]

_HEAD = """\
<!-- Made by `python -m e2e_ansible.cli.manual` from the program. -->

# Commands

All commands take `--help`. They ask nothing, but for `reap` on a terminal. Results go to standard output, errors to
standard error. With `--json`, standard output is one JSON object per line and nothing else. On a terminal `run` shows a
live view; elsewhere it writes a line per event.

Running on nodes of this machine needs root. All else, from `validate` to `report`, does not.
"""

#: What a user types, by command; every one of them is run by a test.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "run": (
        "e2e-ansible run suites/quickstart.yaml",
        "e2e-ansible run suites --parallel 4 --max-nodes 12 --stop-on-error",
        "e2e-ansible run suites/quickstart.yaml --run-test quickstart --keep on-failure",
        "e2e-ansible run suites --only-provider local --dry-run",
    ),
    "plan": ("e2e-ansible plan suites/quickstart.yaml -o plan",),
    "validate": ("e2e-ansible validate suites",),
    "report": ("e2e-ansible report", "e2e-ansible report runs/20261121-081500-a1b2c3 --json"),
    "analyze": ("e2e-ansible analyze", "e2e-ansible analyze 20261121-081500-a1b2c3 --write"),
    "compare": (
        "e2e-ansible compare 20261122-081500-d4e5f6 20261121-081500-a1b2c3 --check-regressions",
        "e2e-ansible compare 20261122-081500-d4e5f6 20261121-081500-a1b2c3 --rule ratio --html compare.html",
    ),
    "history": ("e2e-ansible history", "e2e-ansible history runs --suite switchover.yaml --last 10 --csv"),
    "rerun": ("e2e-ansible rerun --failed",),
    "resume": (
        "e2e-ansible resume",
        "e2e-ansible resume 20261121-081500-a1b2c3 --suite suites/quickstart.yaml",
    ),
    "shrink": (
        "e2e-ansible shrink",
        "e2e-ansible shrink 20261121-081500-a1b2c3 --repeat 3 --hours 8",
    ),
    "heal": ("e2e-ansible heal", "e2e-ansible heal 20261121-081500-a1b2c3"),
    "destroy": ("e2e-ansible destroy 20261121-081500-a1b2c3",),
    "quota": (
        "e2e-ansible quota",
        "e2e-ansible quota --json",
    ),
    "reap": (
        "e2e-ansible reap",
        "e2e-ansible reap --provider aws --older-than 24h --yes",
        "e2e-ansible reap --provider hetzner --deployment quickstart-a1b2c3",
    ),
    "schema": ("e2e-ansible schema > suite.schema.json",),
    "doctor": ("e2e-ansible doctor", "e2e-ansible doctor --fix"),
    "role": (
        "e2e-ansible role observe --on n12",
        "e2e-ansible role node_power --on n12 -e node_power_operation=on",
    ),
    "providers": ("e2e-ansible providers",),
    "list": ("e2e-ansible list suites",),
    "awx": (
        "e2e-ansible awx export examples/awx/suite.yaml -o workflows.yml",
        "e2e-ansible awx launch examples/awx/suite.yaml --keep on-failure",
        "e2e-ansible awx launch --template 'e2e crash_node' --limit n12 -e crash_node_method=ssh",
    ),
}

_VERDICTS = {
    (Verdict.PASS, None): "everything passed",
    (Verdict.FAIL, Cause.PRODUCT): "the product failed: a check did not hold, or data was lost",
    (Verdict.UNKNOWN, None): "unknown: nothing failed, but something was not proved",
    (Verdict.FAIL, Cause.INFRASTRUCTURE): "machines, network, disks or packages failed",
    (Verdict.FAIL, Cause.HARNESS): "the tool itself failed",
    (Verdict.FAIL, Cause.CLEAN_UP): "something that was made could not be removed",
    (Verdict.UNKNOWN, Cause.INTERRUPT): "interrupted",
}
_BAD_INPUT = "the suite or the command line is wrong; nothing was started"


def manual() -> str:
    """The whole page."""
    from e2e_ansible.cli.app import app

    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    parts = [_HEAD, *(_command(name, command) for name, command in _single(commands)), _exit_codes()]
    return "\n".join(parts)


def _single(commands: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every command; those of a group under both names."""
    for name, command in commands.items():
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            yield from ((f"{name} {each}", inner[each]) for each in inner)


def _command(name: str, command: Any) -> str:
    usage = " ".join(["e2e-ansible", name, *_usage(command)])
    shown = EXAMPLES[name.partition(" ")[0]]
    lines = [line for line in shown if f"{line} ".startswith(f"e2e-ansible {name} ")]
    examples = "\n".join(["```", *lines, "```"])
    text = " ".join(inspect.cleandoc(command.help).split())
    return "\n".join([f"## {name}\n\n`{usage}`\n\n{text}\n", examples, "", *_table(command)])


def _usage(command: Any) -> Iterator[str]:
    for param in command.params:
        word = param.metavar or ""
        if param.param_type_name == "argument":
            word += "..." if param.nargs != 1 else ""
            yield word if param.required else f"[{word}]"
        elif param.required:
            yield f"{_longest(param)} {word}"
    yield "[OPTIONS]"


def _table(command: Any) -> Iterator[str]:
    params = [param for param in command.params if param.name != "help"]
    if not params:
        return
    yield "| | |\n|---|---|"
    for param in params:
        names = [param.metavar] if param.param_type_name == "argument" else sorted(param.opts, key=len)
        value = "" if param.param_type_name == "argument" or param.is_flag else f" {param.metavar}"
        yield f"| `{', '.join(names)}{value}` | {param.help}{_more(param)} |"
    yield ""


def _more(param: Any) -> str:
    if param.envvar:
        return f" Or in the environment: `{param.envvar}`."
    default = param.default
    shown = isinstance(default, (str, int, Path)) and not isinstance(default, bool) and default != ""
    return f" Default: `{default}`." if shown else ""


def _longest(param: Any) -> str:
    return str(max(param.opts, key=len))


def _exit_codes() -> str:
    codes = {exit_code(verdict, cause): words for (verdict, cause), words in _VERDICTS.items()}
    rows = sorted({**codes, 2: _BAD_INPUT}.items())
    text = "`role` exits with the status of ansible-playbook. Of several tests the worst decides."
    table = "\n".join(f"| {code} | {words} |" for code, words in rows)
    return f"## Exit codes\n\n| code | means |\n|---|---|\n{table}\n\n{text}\n"


if __name__ == "__main__":
    sys.stdout.write(manual())
