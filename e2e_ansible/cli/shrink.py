"""`e2e-ansible shrink`: the shortest schedule of failures with which a soak still fails."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from e2e_ansible.cli.options import AllowPlugins, Engine, RunArgument, Runs
from e2e_ansible.engine.name import EngineName

if TYPE_CHECKING:
    from collections.abc import Callable

    from e2e_ansible.run.folder import Manifest, RunFolder
    from e2e_ansible.soak.course import Course
    from e2e_ansible.soak.options import SoakOptions
    from e2e_ansible.soak.shrink import Attempt, Failure, Limits, Shrunk, Trial
    from e2e_ansible.suite.model import Contexts, Suite

__all__ = ["shrink"]

_UNKNOWN = 3


def shrink(
    run: RunArgument = None,
    repeat: Annotated[
        int,
        typer.Option("--repeat", min=1, max=100, help="Runs of each try; it fails if one of them does."),
    ] = 1,
    max_tries: Annotated[
        int, typer.Option("--max-tries", min=1, help="Give up after so many runs in all.")
    ] = 200,
    hours: Annotated[
        float | None, typer.Option("--hours", min=0.001, help="Begin no try after so many hours of tries.")
    ] = None,
    any_step: Annotated[
        bool, typer.Option("--any-step", help="A failure in another step is the same, if its cause is.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after a kill; what was tried is not tried again.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the schedule goes; else into the run folder.")
    ] = None,
    allow_plugins: AllowPlugins = False,
    engine: Engine = EngineName.WARM,
    runs: Runs = Path("runs"),
) -> None:
    """Find the shortest schedule of failures with which a soak still fails.

    Each try is a soak of its own on fresh nodes. It fails if a cycle has the same verdict, cause and first failing
    step as the first bad cycle of the run. All tries lie in the folder shrink of the run. Exit code 3: it did not
    fail again, or the tries did not suffice.
    """
    from e2e_ansible.cli.folders import find_real_run
    from e2e_ansible.run.engines import open_engine
    from e2e_ansible.soak.session import test_name
    from e2e_ansible.soak.shrink import Limits, first_failure
    from e2e_ansible.soak.trying import SoakTry, failures, injections

    folder = find_real_run(run, runs)
    manifest, soak = _soak(folder)
    name = test_name(folder)
    course = _course(manifest, name, allow_plugins=allow_plugins)
    original, failure = first_failure(list(failures(folder)), injections(folder))
    if not original.schedule:
        typer.echo("nothing was injected before the failure; only cycles can be left out", err=True)
    if any_step:
        failure = failure.model_copy(update={"step": ""})
    typer.echo(f"cycle {original.cycles}: {failure}; {_words(original)} to shrink", err=True)
    course(soak)  # a suite that cannot be read is told before anything is made
    place = folder.path / "shrink"
    with open_engine(engine) as opened:
        runner = SoakTry(course, soak, place / "runs", opened, by_step=not any_step)
        limits = Limits(tries=max_tries, hours=hours, repeat=repeat)
        found = _search(place, original, failure, runner, limits, resume=resume)
    raise typer.Exit(_told(found, original, manifest, name, output or place / "schedule.json"))


def _soak(folder: RunFolder) -> tuple[Manifest, SoakOptions]:
    from e2e_ansible.errors import UsageError

    manifest = folder.manifest()
    if manifest.soak is None:
        raise UsageError(f"{folder.path} is no soak", hint="run the suite with --cycles and --inject-failure")
    return manifest, manifest.soak


def _course(manifest: Manifest, name: str, *, allow_plugins: bool) -> Callable[[SoakOptions], Course]:
    """Compiles the suite of the run, as it is now.

    Raises:
        SuiteError: it has problems.
    """
    from dataclasses import replace

    from e2e_ansible.api import load, refuse_unknown
    from e2e_ansible.soak.course import Course
    from e2e_ansible.steps.registry import step_types

    entry = manifest.tests[0]

    def suite(contexts: Contexts | None) -> Suite:
        found = load(entry.suite, provider=entry.provider, allow_plugins=allow_plugins, contexts=contexts)
        refuse_unknown([name], [test.name for test in found.tests])
        return replace(found, tests=tuple(test for test in found.tests if test.name == name))

    if suite(None).digest != entry.suite_digest:
        typer.echo(f"{entry.suite} is not the same as in that run", err=True)
    return lambda options: Course(suite, step_types(), options)


def _search(
    place: Path,
    original: Trial,
    failure: Failure,
    runner: Callable[[Attempt], Failure | None],
    limits: Limits,
    *,
    resume: bool,
) -> Shrunk:
    from e2e_ansible.errors import UsageError
    from e2e_ansible.run.folder import make_private
    from e2e_ansible.soak.shrink import shrink as search
    from e2e_ansible.soak.shrink_notes import open_notes

    make_private(place)
    notes = place / "tries.jsonl"
    if notes.exists() and not resume:
        text = f"{notes} has tries of before"
        raise UsageError(text, hint="go on with --resume, or remove that folder to begin anew")

    def run(attempt: Attempt) -> Failure | None:
        typer.echo(f"try {attempt.number}: {_words(attempt.trial)}", err=True)
        found = runner(attempt)
        typer.echo(f"try {attempt.number}: {found or 'pass'}", err=True)
        return found

    with open_notes(notes, original, failure) as opened:
        left = [each.number for each in opened.attempts if each.seconds is None]
        for number in left:
            _remove(place / "runs" / f"{number:03d}")
        return search(original, failure, run, limits=limits, notes=opened)


def _remove(runs: Path) -> None:
    """Whatever a try that was killed has left."""
    import time

    from e2e_ansible.providers.registry import get_provider
    from e2e_ansible.run.clean_up import destroy_run
    from e2e_ansible.run.folder import RunFolder

    for manifest in runs.glob("*/run.json"):
        destroy_run(RunFolder.open(manifest.parent), get_provider, at=time.time())


def _told(found: Shrunk, original: Trial, manifest: Manifest, name: str, output: Path) -> int:
    """Say what came of it, and write the schedule; the exit code."""
    from e2e_ansible.soak.schedule import write_schedule
    from e2e_ansible.soak.shrink import Ending

    trial = found.trial
    if trial is None:
        why = "did not come again" if found.ending is Ending.NOT_REPRODUCED else "was not seen again"
        typer.echo(f"the failure {why} in {found.tries} runs of the same soak; nothing is shrunk")
        return _UNKNOWN
    write_schedule(output, trial.schedule)
    typer.echo(f"{_words(original)} shrunk to {_words(trial)} by {found.tries} runs")
    for each in trial.schedule:
        typer.echo(f"  cycle {each.cycle}: {each.scenario} at {each.phase}{_on(each.target)}")
    if not trial.schedule:
        typer.echo("  it fails without any injected failure")
    if found.failed < found.runs:
        typer.echo(f"  it failed in {found.failed} of {found.runs} runs: it comes only sometimes")
    if found.unclear:
        typer.echo(f"  {found.unclear} tries were spoiled by something else, and count as passed")
    typer.echo(_command(trial, manifest, name, output))
    if found.ending is Ending.EXHAUSTED:
        typer.echo("the tries did not suffice to show that nothing more can be left out")
        return _UNKNOWN
    return 0


def _on(target: str) -> str:
    return f" on {target}" if target else ""


def _words(trial: Trial) -> str:
    def counted(number: int, what: str) -> str:
        return f"{number} {what}{'' if number == 1 else 's'}"

    return f"{counted(trial.cycles, 'cycle')} with {counted(len(trial.schedule), 'injected failure')}"


def _command(trial: Trial, manifest: Manifest, name: str, output: Path) -> str:
    """What reproduces it."""
    from e2e_ansible.cli.folders import shown

    entry, soak = manifest.tests[0], manifest.soak
    words = ["e2e-ansible", "run", shown(Path(entry.suite)), "--run-test", name]
    words += ["--provider", entry.provider, "--cycles", str(trial.cycles), "--stop-on-failure"]
    if trial.schedule:
        words += ["--schedule", shown(output.absolute())]
    if soak and soak.contexts:
        words += ["--primary-context", soak.contexts[0], "--secondary-context", soak.contexts[1]]
    if soak:
        words += ["--cooldown", f"{soak.cooldown:g}"]
    return shlex.join(words)
