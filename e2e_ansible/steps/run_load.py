"""`run_load`: load the database with any tool that something here can read the output of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from e2e_ansible.errors import UsageError
from e2e_ansible.load.registry import load_tools
from e2e_ansible.names import nearest
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType
from e2e_ansible.steps.load import LoadStepOptions, LoadTask, load_step
from e2e_ansible.suite.model import Name
from e2e_ansible.suite.parameters import Parameters

__all__ = ["RunLoad", "RunLoadOptions"]

_DEFAULT_SECONDS = 600

Word = Annotated[str, Field(max_length=10_000)]
File = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,79}$")]


class RunLoadOptions(LoadStepOptions):
    """The tool by its name here, and its command.

    In `command`, `env` and `files` the words @URL@, @HOST@, @HOSTS@, @PORT@, @USER@, @DATABASE@ and @FOLDER@ stand for
    the address of the database and the folder that the tool runs in; in `files` @PASSWORD@ for the password.
    """

    tool: Name = Field(
        description="Who reads what it prints: a load tool of e2e-ansible, a package or the suite"
    )
    command: tuple[Word, ...] = Field(
        min_length=1, strict=False, description="The program and its arguments; @URL@ stands for the database"
    )
    workload: str = Field("", max_length=200, description="What it does, in the words of the report")
    env: Mapping[Variable, Word] = Field(default_factory=dict, description="Variables of its environment")
    files: Mapping[File, str] = Field(
        default_factory=dict, description="Files in the folder that it runs in, name to text"
    )
    copies: Mapping[File, Word] = Field(
        default_factory=dict, description="Files in that folder, name to the path of one beside the suite"
    )
    keep: tuple[File, ...] = Field(
        (), strict=False, description="Files that it writes into that folder, to be kept and read"
    )
    duration_seconds: float = Field(
        _DEFAULT_SECONDS, gt=0, le=604_800, description="How long it may take; after that it is ended"
    )


class RunLoad(StepType[RunLoadOptions]):
    """Run a load tool."""

    name = "run_load"
    summary = "Load the database with a tool of your own, and hold what it measured against limits"
    options = RunLoadOptions

    def about(self, options: RunLoadOptions) -> str:
        """The tool, and what it does if that is said."""
        return f"{options.tool}: {options.workload}" if options.workload else options.tool

    def target_names(self, options: RunLoadOptions) -> Sequence[tuple[str, str]]:
        """Where it runs, if that is said."""
        return options.places

    def wrong_options(
        self, options: RunLoadOptions, parameters: Parameters, folder: Path
    ) -> Sequence[tuple[tuple[str | int, ...], str, str]]:
        """A tool whose output nothing here can read."""
        return [] if options.tool in load_tools() else [(("tool",), *_unknown(options.tool))]

    def file_names(self, options: RunLoadOptions) -> Sequence[tuple[tuple[str | int, ...], str]]:
        """What is copied."""
        return [(("copies", name), file) for name, file in options.copies.items()]

    def compile(self, options: RunLoadOptions, context: CompileContext) -> CompiledStep:
        """Its command.

        Raises:
            UsageError: nothing here can read its output.
        """
        if options.tool not in load_tools():
            text, hint = _unknown(options.tool)
            raise UsageError(text, hint=hint)
        task = LoadTask(
            name=f"Run {options.tool}",
            tool=options.tool,
            argv=options.command,
            seconds=options.duration_seconds,
            workload=options.workload,
            env=options.env,
            files=options.files,
            copies=options.copies,
            keep=options.keep,
        )
        return load_step(options, context, [task])


def _unknown(tool: str) -> tuple[str, str]:
    """That there is no such tool, and what to do."""
    known = load_tools()
    near = nearest(tool, known)
    hint = (
        f"did you mean {near!r}?"
        if near
        else f"known: {', '.join(sorted(known))}; one of the suite needs --allow-plugins"
    )
    return f"there is no load tool named {tool!r}", hint
