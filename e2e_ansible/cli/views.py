"""What the user sees of a run: a live view on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2e_ansible.compile.plan import Plan
    from e2e_ansible.engine.protocol import Engine
    from e2e_ansible.judge.result import RunResult
    from e2e_ansible.notify.notifier import Notifier
    from e2e_ansible.report.notice import Listener
    from e2e_ansible.run.context import RunOptions
    from e2e_ansible.run.folder import RunFolder

__all__ = ["run_and_show", "show", "told", "view"]


def run_and_show(
    plans: list[Plan],
    options: RunOptions,
    engine: Engine,
    *,
    runs: Path,
    json: bool,
    notifier: Notifier | None = None,
) -> int:
    """Run plans under the right view, print the summary, return the exit code."""
    from e2e_ansible.run.session import run_plans

    return told(
        lambda listener: run_plans(plans, runs=runs, engine=engine, options=options, listeners=[listener]),
        json=json,
        verbose=bool(options.verbosity),
        notifier=notifier,
    )


def told(
    act: Callable[[Listener], tuple[RunResult, RunFolder]],
    *,
    json: bool,
    verbose: bool,
    notifier: Notifier | None = None,
) -> int:
    """Run something under the right view, print the summary, return the exit code. That nobody listens is no error."""
    from e2e_ansible.notify.notifier import heard

    with view(json=json, verbose=verbose) as seen, heard(notifier, seen) as listener:
        result, folder = act(listener)
    if not json:
        try:
            show(result, folder, verbose=verbose)
            sys.stdout.flush()
        except BrokenPipeError:
            _forget_output()
    return result.exit_code


def _forget_output() -> None:
    """Whoever read the output has gone; Python would complain about that at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def show(result: RunResult, folder: RunFolder, *, verbose: bool) -> None:
    """Print the summary of a run."""
    from rich.console import Console

    from e2e_ansible.checks.custom import plugin_files
    from e2e_ansible.cli.folders import shown
    from e2e_ansible.report.summary import print_summary

    plugins = any(plugin_files(Path(test.suite).parent) for test in folder.manifest().tests)
    print_summary(
        Console(), result, shown(folder.path), verbose=verbose, plugins=plugins, removed=folder.removed
    )


@contextmanager
def view(*, json: bool, verbose: bool) -> Iterator[Listener]:
    """What tells the user of a run while it goes on, by where standard output leads."""
    from rich.console import Console

    from e2e_ansible.report.jsonl import JsonView
    from e2e_ansible.report.live import LiveView, usable
    from e2e_ansible.report.plain import PlainView

    console = Console()
    if json:
        yield JsonView(sys.stdout)
    elif usable(console):
        with LiveView(console, verbose=verbose) as live:
            yield live
    else:
        yield PlainView(sys.stdout, verbose=verbose)
