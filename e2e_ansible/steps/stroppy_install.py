"""What a suite says of Stroppy, as plays: make it on the controller, copy it to nodes, install it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from e2e_ansible.steps.base import CompileContext, Play, Unsafe, play
from e2e_ansible.suite.stroppy import StroppySource

__all__ = ["PINNED_COMMIT", "stroppy_environment", "stroppy_install", "stroppy_source"]

PINNED_COMMIT = "v1.0.3-0.20260822003247-d8fb5897ca07"
"""What Go builds when a suite does not say where Stroppy comes from; also a default of the role."""


def stroppy_source(context: CompileContext) -> dict[str, object]:
    """Where it comes from, as arguments of the action `stroppy_program`; of the role with `stroppy_` before each."""
    source = context.parameters.stroppy or StroppySource(commit=PINNED_COMMIT)
    given = source.model_dump(exclude_defaults=True)
    return {name: Unsafe(value) if isinstance(value, str) else value for name, value in given.items()}


def stroppy_install(context: CompileContext, nodes: Sequence[str]) -> Play:
    """The play that installs it on nodes that answer."""
    variables = {f"stroppy_{name}": value for name, value in stroppy_source(context).items()}
    role = {"role": "stroppy", "vars": variables}
    tasks = [_place(path) for path in stroppy_environment(context).values()]
    return play("Install Stroppy", nodes, become=True, any_errors_fatal=True, roles=[role], tasks=tasks)


def stroppy_environment(context: CompileContext) -> dict[str, str]:
    """Variables for a run of it: with coverage, the folder on its node that it notes its lines in."""
    source, coverage = context.parameters.stroppy, context.parameters.coverage
    return {"GOCOVERDIR": coverage.directory} if source and source.coverage and coverage else {}


def _place(path: str) -> Mapping[str, object]:
    folder = {"path": path, "state": "directory", "mode": "0755"}
    return {"name": "Make the folder for coverage", "ansible.builtin.file": folder}
