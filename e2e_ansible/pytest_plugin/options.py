"""The options of the plugin, each with a variable of the environment that says the same."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.errors import UsageError
from e2e_ansible.names import suggestion

__all__ = [
    "OPTIONS",
    "SUFFIXES",
    "Option",
    "add_options",
    "check_command_line",
    "keep_together",
    "read",
    "reads_as_inventory",
    "reads_as_suite",
]

SUFFIXES = (".yaml", ".yml", ".json")
_GLOBS = ["*.e2e.yaml", "*.e2e.yml", "*.e2e.json"]
_SCOPES = ("function", "class", "module", "package", "session")
_SUITE_KEY = re.compile(r"""\b(test_suites|workflow|step)["']?\s*:""")
_INVENTORY_KEY = re.compile(r"^plugin\s*:", re.MULTILINE)
_MOST = 1_000_000
_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


@dataclass(frozen=True)
class Option:
    """One option. `names` are its spellings, `field` where its value goes; a flag has no `metavar`."""

    names: tuple[str, ...]
    field: str
    convert: Callable[[str], object]
    metavar: str
    help: str

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of the environment: `--e2e-run-hours` is `E2E_RUN_HOURS`."""
        bare = (name.removeprefix("--").removeprefix("e2e-") for name in self.names)
        return tuple(f"E2E_{name.replace('-', '_').upper()}" for name in bare)


def _whole(least: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        number = int(text) if re.fullmatch(r"\d{1,12}", text) else -1
        if number < least:
            raise ValueError(f"{text!r} is no whole number of {least} or more")
        return number

    return convert


def _number(*, zero: bool) -> Callable[[str], float]:
    def convert(text: str) -> float:
        number = float(text) if re.fullmatch(r"\d{1,9}(\.\d*)?|\.\d+", text) else -1.0
        if number < 0 or (number == 0 and not zero):
            raise ValueError(f"{text!r} is no number {'of 0 or more' if zero else 'above 0'}")
        return number

    return convert


def _one_of(*words: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in words:
            hint = suggestion(text, words)
            raise ValueError(f"{text!r} is none of {', '.join(words)}; {hint}")
        return text

    return convert


def _text(text: str) -> str:
    if not text:
        raise ValueError("it is empty")
    return text


def _flag(text: str) -> bool:
    if text.lower() in (*_YES, *_NO):
        return text.lower() in _YES
    raise ValueError(f"{text!r} is none of {', '.join((*_YES, *_NO[1:]))}")


OPTIONS = (
    Option(("--primary-context",), "primary", _text, "SITE", "the site that takes writes at first"),
    Option(("--secondary-context",), "secondary", _text, "SITE", "the other site"),
    Option(("--e2e-cycles",), "cycles", _whole(1), "N", "do each suite test so many times"),
    Option(("--e2e-run-hours",), "run_hours", _number(zero=False), "H", "begin no cycle after so many hours"),
    Option(
        ("--e2e-max-failures",), "max_failures", _whole(1), "N", "stop when so many cycles have not passed"
    ),
    Option(("--e2e-cooldown",), "cooldown", _number(zero=True), "S", "seconds between two cycles (30)"),
    Option(
        ("--e2e-stop-on-failure",), "stop_on_failure", _flag, "", "stop after the first cycle without a pass"
    ),
    Option(
        ("--e2e-resume",), "resume", _flag, "", "go on with the newest run of each test, if it has not ended"
    ),
    Option(
        ("--e2e-inject-failure",),
        "inject",
        _text,
        "NAME",
        "in each cycle: pause-backup, delay-restore, kill-observability, any fault, or random",
    ),
    Option(("--e2e-inject-at-phase",), "inject_at", _text, "PHASE", "before its first step (activation)"),
    Option(("--e2e-seed",), "seed", _whole(0), "N", "seed of what is drawn by chance"),
    Option(("--e2e-dry-run",), "dry_run", _flag, "", "go through everything without a node"),
    Option(
        ("--e2e-method",), "method", _one_of("passive", "full"), "NAME", "variable `method`: passive, full"
    ),
    Option(
        ("--e2e-old-primary", "--e2e-old-hub-action"),
        "old_primary",
        _one_of("secondary", "none", "decommission"),
        "NAME",
        "variable `old_primary`: secondary, none, decommission",
    ),
    Option(("--e2e-output-dir",), "output_dir", _text, "DIR", "where run folders are made (runs)"),
    Option(("--e2e-results",), "results", _text, "RUN", "the run folder that the fixture e2e_results reads"),
    Option(("--e2e-provider",), "provider", _text, "NAME", "use it in place of what the tests say"),
    Option(
        ("--e2e-max-nodes",), "max_nodes", _whole(1), "N", "nodes that may exist at once, over all workers"
    ),
    Option(
        ("--e2e-keep",),
        "keep",
        _one_of("never", "on-failure", "always"),
        "WHEN",
        "keep the nodes afterwards: never, on-failure, always",
    ),
    Option(
        ("--e2e-allow-plugins",), "allow_plugins", _flag, "", "run the code in e2e_plugins beside a suite"
    ),
)


def add_options(parser: pytest.Parser) -> None:
    """Add all of them, and the settings."""
    group = parser.getgroup("e2e", "end-to-end tests (e2e-ansible); each also by its variable E2E_...")
    for option in OPTIONS:
        more: dict[str, Any] = {"metavar": option.metavar} if option.metavar else {"action": "store_true"}
        group.addoption(*option.names, dest=_destination(option), default=None, help=option.help, **more)
    parser.addini("e2e_suites", "globs of suite files that are collected", type="args", default=_GLOBS)
    parser.addini(
        "e2e_cluster_scope", f"scope of the fixture e2e_cluster: {', '.join(_SCOPES)}", default="module"
    )


def _destination(option: Option) -> str:
    return f"e2e_{option.field}"


def check_command_line(config: pytest.Config) -> None:
    """Refuse what was typed, before anything is collected. The environment is read when it is needed.

    Raises:
        pytest.UsageError: a value is wrong.
    """
    if all(config.getoption(_destination(option)) is None for option in OPTIONS):
        return
    try:
        read(config, os.environ)
    except UsageError as error:
        raise pytest.UsageError(f"{error}; {error.hint}" if error.hint else str(error)) from None


def read(config: pytest.Config, environment: Mapping[str, str]) -> dict[str, Any]:
    """Every value by its field, None where nothing was said. The command line wins over the environment.

    Raises:
        UsageError: a value is wrong, or one of two contexts is missing.
    """
    said = {option.field: _value(option, config, environment) for option in OPTIONS}
    for given, missing in (("primary", "secondary"), ("secondary", "primary")):
        if said[given] and not said[missing]:
            raise UsageError(f"--{missing}-context is missing", hint="name both sites, or none")
    return said


def _value(option: Option, config: pytest.Config, environment: Mapping[str, str]) -> object:
    given = config.getoption(_destination(option))
    if isinstance(given, bool):
        return given
    name = option.names[0]
    if given is None:
        found = [variable for variable in option.variables if environment.get(variable)]
        if not found:
            return None
        name, given = found[0], environment[found[0]]
    try:
        return option.convert(given)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def reads_as_suite(path: Path) -> bool:
    """Whether a file that was named on the command line is a suite, and no file of another plugin."""
    return bool(_SUITE_KEY.search(_text_of(path)))


def reads_as_inventory(path: Path) -> bool:
    """Whether a file is one for an inventory plugin: those of this package are named alike."""
    return bool(_INVENTORY_KEY.search(_text_of(path)))


def _text_of(path: Path) -> str:
    """The beginning of a file; nothing when it cannot be read, which whoever reads it next will tell."""
    try:
        with path.open(errors="replace") as file:
            return file.read(_MOST)
    except OSError:
        return ""


def keep_together(item: pytest.Item, group: str) -> None:
    """Let xdist give all items of a group to one worker, with `--dist loadgroup`."""
    if item.config.pluginmanager.hasplugin("xdist"):
        item.add_marker(pytest.mark.xdist_group(group))
