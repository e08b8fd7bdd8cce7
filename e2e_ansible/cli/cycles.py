"""The options of `run` and `resume` that concern cycles, and what they do."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from e2e_ansible.cli.monitoring import monitor_options
from e2e_ansible.engine.name import EngineName
from e2e_ansible.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from e2e_ansible.engine.protocol import Engine
    from e2e_ansible.judge.result import RunResult
    from e2e_ansible.notify.notifier import Notifier
    from e2e_ansible.report.notice import Listener
    from e2e_ansible.run.context import RunOptions
    from e2e_ansible.run.folder import RunFolder
    from e2e_ansible.soak.course import Course
    from e2e_ansible.soak.options import PlannedInjection, SoakOptions
    from e2e_ansible.soak.session import Hearers
    from e2e_ansible.suite.model import Contexts, Suite

__all__ = [
    "Cooldown",
    "CycleOptions",
    "Cycles",
    "Inject",
    "InjectAt",
    "MaxFailures",
    "PrimaryContext",
    "Resume",
    "RunHours",
    "Schedule",
    "SecondaryContext",
    "Seed",
    "StopOnFailure",
    "resume_and_show",
    "soak_and_show",
]

_PANEL = "Cycles"


def _option(*names: str, metavar: str | None = None, help: str, **more: Any) -> Any:  # noqa: A002  # typer's word
    variable = f"E2E_{names[0].removeprefix('--').replace('-', '_').upper()}"
    return typer.Option(*names, metavar=metavar, envvar=variable, help=help, rich_help_panel=_PANEL, **more)


Cycles = Annotated[int | None, _option("--cycles", metavar="N", min=1, help="Do the test so many times.")]
RunHours = Annotated[
    float | None, _option("--run-hours", metavar="H", help="Begin no cycle after so many hours.")
]
MaxFailures = Annotated[
    int | None,
    _option("--max-failures", metavar="N", min=1, help="Stop when so many cycles have not passed."),
]
Cooldown = Annotated[
    float | None, _option("--cooldown", metavar="S", min=0, help="Seconds between two cycles (30).")
]
StopOnFailure = Annotated[
    bool, _option("--stop-on-failure", help="Stop after the first cycle that did not pass.")
]
Resume = Annotated[
    bool,
    _option("--resume", help="Go on with the newest run in cycles of this suite; `resume RUN` with any."),
]
PrimaryContext = Annotated[
    str | None, _option("--primary-context", metavar="SITE", help="The site that takes writes at first.")
]
SecondaryContext = Annotated[
    str | None, _option("--secondary-context", metavar="SITE", help="The other site.")
]
Inject = Annotated[
    str | None,
    _option(
        "--inject-failure",
        metavar="NAME",
        help="In each cycle: pause-backup, delay-restore, kill-observability, any fault, or random.",
    ),
]
InjectAt = Annotated[
    str | None,
    _option("--inject-at-phase", metavar="PHASE", help="Before the first step of this phase (activation)."),
]
Seed = Annotated[int | None, _option("--seed", metavar="N", min=0, help="Seed of what is drawn by chance.")]
Schedule = Annotated[
    Path | None,
    _option("--schedule", metavar="FILE", help="What is injected into which cycle, in place of chance."),
]


@dataclass(frozen=True)
class CycleOptions:
    """What the user said of cycles; None: nothing."""

    cycles: int | None = None
    run_hours: float | None = None
    max_failures: int | None = None
    cooldown: float | None = None
    stop_on_failure: bool = False
    resume: bool = False
    primary_context: str | None = None
    secondary_context: str | None = None
    inject_failure: str | None = None
    inject_at_phase: str | None = None
    seed: int | None = None
    schedule: Path | None = None
    threshold: list[str] | None = None
    thresholds: Path | None = None
    monitor_interval: float | None = None

    @property
    def asked(self) -> bool:
        """Whether a run in cycles is meant.

        Raises:
            UsageError: something is said of cycles, but not how many.
        """
        if self.cycles or self.run_hours or self.resume:
            return True
        said = [name for name, value in vars(self).items() if value not in (None, False)]
        if said:
            option = f"--{said[0].replace('_', '-')}"
            raise UsageError(f"{option} is for a run in cycles", hint="say --cycles N or --run-hours H")
        return False

    def options(self) -> SoakOptions:
        """As the soak takes them.

        Raises:
            UsageError: they contradict each other, or the schedule has problems.
        """
        from pydantic import ValidationError

        from e2e_ansible.soak.options import SoakOptions

        given: dict[str, object] = {
            "cycles": self.cycles,
            "run_hours": self.run_hours,
            "max_failures": self.max_failures,
            "cooldown": self.cooldown,
            "inject": self.inject_failure,
            "inject_at_phase": self.inject_at_phase,
            "seed": self._seed(),
            "contexts": self._contexts(),
            "schedule": self._schedule(),
            "monitor": monitor_options(self.threshold, self.thresholds, self.monitor_interval),
        }
        known = {name: value for name, value in given.items() if value is not None}
        try:
            return SoakOptions(stop_on_failure=self.stop_on_failure, **known)
        except ValidationError as error:
            first = error.errors()[0]
            name = f"--{str(first['loc'][0]).replace('_', '-')}"
            raise UsageError(f"{name}: {first['input']!r}: {first['msg']}") from error

    def bounds(self) -> dict[str, object]:
        """Those that a resumption may change."""
        names = ("cycles", "run_hours", "max_failures", "cooldown")
        said = {name: value for name in names if (value := getattr(self, name)) is not None}
        return said | ({"stop_on_failure": True} if self.stop_on_failure else {})

    def refuse_others(self) -> None:
        """See that a resumption is asked for nothing that the run has decided.

        Raises:
            UsageError: it is.
        """
        decided = (
            "primary_context",
            "secondary_context",
            "inject_failure",
            "inject_at_phase",
            "seed",
            "schedule",
            "threshold",
            "thresholds",
            "monitor_interval",
        )
        for name in decided:
            if getattr(self, name) is not None:
                option = f"--{name.replace('_', '-')}"
                raise UsageError(
                    f"{option} cannot be changed by --resume", hint="start anew without --resume"
                )

    def _seed(self) -> int | None:
        if self.seed is not None or self.inject_failure != "random":
            return self.seed
        from secrets import randbelow

        return randbelow(1_000_000)

    def _contexts(self) -> Contexts | None:
        if not self.primary_context and not self.secondary_context:
            return None
        if not self.primary_context or not self.secondary_context:
            missing = "--secondary-context" if self.primary_context else "--primary-context"
            raise UsageError(f"{missing} is missing", hint="name both sites, or none")
        return self.primary_context, self.secondary_context

    def _schedule(self) -> tuple[PlannedInjection, ...] | None:
        if self.schedule is None:
            return None
        if self.inject_failure:
            raise UsageError("--schedule takes the place of --inject-failure", hint="say one of them")
        from e2e_ansible.soak.schedule import read_schedule

        return read_schedule(self.schedule)


def soak_and_show(
    suites: Sequence[Path],
    said: CycleOptions,
    options: RunOptions,
    engine: EngineName,
    *,
    runs: Path,
    json: bool,
    provider: str | None,
    allow_plugins: bool,
    tests: Sequence[str],
    notifier: Notifier | None = None,
) -> int:
    """Do a test in cycles, or go on with it, under the right view; returns the exit code."""
    from e2e_ansible.soak.session import run_soak

    file = _only_file(suites)
    if said.resume:
        said.refuse_others()
        run = _newest_of(file, runs, dry_run=options.dry_run)
        return resume_and_show(
            run,
            engine,
            suite=file,
            json=json,
            verbose=bool(options.verbosity),
            allow_plugins=allow_plugins,
            notifier=notifier,
            changes=said.bounds(),
        )
    soak = said.options()
    course = _course(file, soak, provider=provider, allow_plugins=allow_plugins, tests=tests)
    if soak.inject == "random":
        typer.echo(f"random failures by seed {soak.seed}: --seed {soak.seed} draws the same", err=True)

    def act(opened: Engine, hearers: Hearers) -> tuple[RunResult, RunFolder]:
        return run_soak(course, runs=runs, engine=opened, options=options, hearers=hearers)

    verbose = bool(options.verbosity)
    return _show(act, engine, json=json, verbose=verbose, notifier=notifier, dry_run=options.dry_run)


def resume_and_show(
    run: RunFolder,
    engine: EngineName,
    *,
    suite: Path | None,
    json: bool,
    verbose: bool,
    allow_plugins: bool,
    notifier: Notifier | None = None,
    changes: dict[str, object] | None = None,
) -> int:
    """Go on with a run in cycles under the right view; returns the exit code."""
    from e2e_ansible.soak.session import resume_soak, test_name

    manifest = run.manifest()
    assert manifest.soak is not None
    entry = manifest.tests[0]
    course = _course(
        suite or Path(entry.suite),
        manifest.soak,
        provider=entry.provider,
        allow_plugins=allow_plugins,
        tests=[test_name(run)],
    )

    def act(opened: Engine, hearers: Hearers) -> tuple[RunResult, RunFolder]:
        return resume_soak(run, course, engine=opened, hearers=hearers, changes=changes), run

    return _show(act, engine, json=json, verbose=verbose, notifier=notifier, dry_run=manifest.dry_run)


def _show(
    act: Callable[[Engine, Hearers], tuple[RunResult, RunFolder]],
    engine: EngineName,
    *,
    json: bool,
    verbose: bool,
    notifier: Notifier | None,
    dry_run: bool,
) -> int:
    from e2e_ansible.cli.views import told
    from e2e_ansible.run.engines import open_engine
    from e2e_ansible.soak.rehearse import NoEngine
    from e2e_ansible.soak.session import Hearers
    from e2e_ansible.soak.watch import Watch

    records = [notifier.record] if notifier else []
    with nullcontext(NoEngine()) if dry_run else open_engine(engine) as opened:

        def heard(listener: Listener) -> tuple[RunResult, RunFolder]:
            return act(opened, Hearers(listeners=[listener], records=records, watch=Watch()))

        code = told(heard, json=json, verbose=verbose, notifier=notifier)
    return 0 if dry_run else code


def _course(
    file: Path, soak: SoakOptions, *, provider: str | None, allow_plugins: bool, tests: Sequence[str]
) -> Course:
    from e2e_ansible.api import load, refuse_unknown
    from e2e_ansible.soak.course import Course
    from e2e_ansible.steps.registry import step_types

    def suite(contexts: Contexts | None) -> Suite:
        found = load(file, provider=provider, allow_plugins=allow_plugins, contexts=contexts)
        refuse_unknown(tests, [test.name for test in found.tests])
        return replace(found, tests=tuple(test for test in found.tests if not tests or test.name in tests))

    suite(None)  # the plugins beside it are known from here on
    return Course(suite, step_types(), soak)


def _only_file(suites: Sequence[Path]) -> Path:
    if len(suites) != 1 or suites[0].is_dir():
        raise UsageError("one suite file is done in cycles", hint="name one file; not a folder, not a plan")
    return suites[0]


def _newest_of(file: Path, runs: Path, *, dry_run: bool) -> RunFolder:
    """The newest run in cycles of a suite.

    Raises:
        UsageError: there is none.
    """
    from e2e_ansible.cli.folders import newest_first

    wanted = str(file.resolve())
    for run in newest_first(runs):
        manifest = run.manifest()
        if manifest.soak and manifest.dry_run == dry_run and manifest.tests[0].suite == wanted:
            return run
    what = "rehearsal" if dry_run else "run"
    raise UsageError(f"there is no {what} in cycles of {file} in {runs}", hint="begin one: without --resume")
