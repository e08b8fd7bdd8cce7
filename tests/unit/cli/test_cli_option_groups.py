"""Commands whose parameters are groups of options: what Typer sees of them, and what they get."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from e2e_ansible.cli.app import app
from e2e_ansible.cli.cycle_options import _BOUNDS, _DECIDED, CycleOptions
from e2e_ansible.cli.option_groups import grouped

Number = Annotated[int, typer.Option("--number", envvar="A_NUMBER")]


@dataclass(frozen=True)
class Pair:
    """Two options, one of which must be said."""

    number: Number
    names: Annotated[list[str] | None, typer.Option("--name")] = None


@dataclass(frozen=True)
class Single:
    """One more."""

    loud: Annotated[bool, typer.Option("--loud")] = False


def command(
    file: Annotated[Path, typer.Argument()],
    *,
    pair: Pair,
    between: Annotated[int, typer.Option("--between")] = 5,
    single: Single,
) -> None:
    """What it does."""
    typer.echo(f"{file} {pair} {between} {single}")


@pytest.fixture(name="ungrouped")
def _spread_out() -> typer.Typer:
    made = typer.Typer(rich_markup_mode=None)
    made.command()(grouped(command))
    return made


def test_fields_stand_in_the_place_of_their_group(ungrouped: typer.Typer) -> None:
    names = list(inspect.signature(grouped(command)).parameters)
    assert names == ["file", "number", "names", "between", "loud"]
    shown = CliRunner().invoke(ungrouped, ["--help"]).output
    assert shown.index("--number") < shown.index("--between") < shown.index("--loud")
    assert "What it does." in shown


def test_a_command_gets_its_groups(ungrouped: typer.Typer) -> None:
    done = CliRunner().invoke(ungrouped, ["f", "--number", "3", "--name", "a", "--name", "b", "--loud"])
    assert done.output == "f Pair(number=3, names=['a', 'b']) 5 Single(loud=True)\n"
    done = CliRunner().invoke(ungrouped, ["f", "--between", "6"], env={"A_NUMBER": "4"})
    assert done.output.startswith("f Pair(number=4, names=")
    assert done.output.endswith(" 6 Single(loud=False)\n")
    missing = CliRunner().invoke(ungrouped, ["f"])
    assert missing.exit_code == 2


def test_two_groups_with_one_name_are_a_mistake() -> None:
    def twice(*, one: Single, other: Single) -> None:
        """Both have `loud`."""

    twice.__annotations__ = {"one": Single, "other": Single, "return": None}
    with pytest.raises(ValueError, match="duplicate parameter name: 'loud'"):
        grouped(twice)


def test_every_option_of_cycles_is_one_that_a_resumption_may_change_or_must_not() -> None:
    said = {*_BOUNDS, *_DECIDED, "stop_on_failure", "resume"}
    assert said == set(CycleOptions.__dataclass_fields__)


@pytest.mark.parametrize("name", ["run", "rerun", "resume"])
def test_no_group_is_seen_by_a_user(name: str) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    names = {param.name for param in commands[name].params}
    assert names.isdisjoint({"choice", "bounds", "execution", "notifications", "said"})
    assert {"runs", "engine", "json"} <= names
