"""Options of `run` that concern cycles, and what they mean together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from e2e_ansible.errors import UsageError

if TYPE_CHECKING:
    from e2e_ansible.monitor.options import MonitorOptions
    from e2e_ansible.soak.options import PlannedInjection, SoakOptions
    from e2e_ansible.suite.model import Contexts

__all__ = ["CycleOptions"]

_PANEL = "Cycles"
#: What a resumption may change; all else the run has decided.
_BOUNDS = ("cycles", "run_hours", "max_failures", "cooldown")
_DECIDED = (
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


def _option(name: str, metavar: str | None = None, *, help: str, variable: bool = True, **more: Any) -> Any:  # noqa: A002  # typer's word
    """An option that can be said in the environment too."""
    envvar = f"E2E_{name.removeprefix('--').replace('-', '_').upper()}" if variable else None
    return typer.Option(name, metavar=metavar, envvar=envvar, help=help, rich_help_panel=_PANEL, **more)


@dataclass(frozen=True)
class CycleOptions:
    """What the user said of cycles; None: nothing."""

    cycles: Annotated[int | None, _option("--cycles", "N", min=1, help="Do the test so many times.")] = None
    run_hours: Annotated[
        float | None, _option("--run-hours", "H", help="Begin no cycle after so many hours.")
    ] = None
    max_failures: Annotated[
        int | None,
        _option("--max-failures", "N", min=1, help="Stop when so many cycles have not passed."),
    ] = None
    cooldown: Annotated[
        float | None, _option("--cooldown", "S", min=0, help="Seconds between two cycles (30).")
    ] = None
    stop_on_failure: Annotated[
        bool, _option("--stop-on-failure", help="Stop after the first cycle that did not pass.")
    ] = False
    resume: Annotated[
        bool,
        _option("--resume", help="Go on with the newest run in cycles of this suite; `resume RUN` with any."),
    ] = False
    primary_context: Annotated[
        str | None, _option("--primary-context", "SITE", help="The site that takes writes at first.")
    ] = None
    secondary_context: Annotated[
        str | None, _option("--secondary-context", "SITE", help="The other site.")
    ] = None
    inject_failure: Annotated[
        str | None,
        _option(
            "--inject-failure",
            "NAME",
            help="In each cycle: pause-backup, delay-restore, kill-observability, any fault, or random.",
        ),
    ] = None
    inject_at_phase: Annotated[
        str | None,
        _option("--inject-at-phase", "PHASE", help="Before the first step of this phase (activation)."),
    ] = None
    seed: Annotated[int | None, _option("--seed", "N", min=0, help="Seed of what is drawn by chance.")] = None
    schedule: Annotated[
        Path | None,
        _option("--schedule", "FILE", help="What is injected into which cycle, in place of chance."),
    ] = None
    threshold: Annotated[
        list[str] | None,
        _option(
            "--threshold",
            "NAME=VALUE",
            variable=False,
            help="When the monitor raises an alert, such as node_disk_percent=80. May be repeated.",
        ),
    ] = None
    thresholds: Annotated[
        Path | None,
        _option("--thresholds", "FILE", help="Thresholds in YAML or JSON; --threshold goes above it."),
    ] = None
    monitor_interval: Annotated[
        float | None,
        _option(
            "--monitor-interval",
            "SECONDS",
            min=1,
            help="Time from one look of the monitor to the next; 15 if not given.",
        ),
    ] = None

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
            raise UsageError(
                f"{_spelled(said[0])} is for a run in cycles", hint="say --cycles N or --run-hours H"
            )
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
            "monitor": self._monitor(),
        }
        known = {name: value for name, value in given.items() if value is not None}
        try:
            return SoakOptions(stop_on_failure=self.stop_on_failure, **known)
        except ValidationError as error:
            first = error.errors()[0]
            name = _spelled(str(first["loc"][0]))
            raise UsageError(f"{name}: {first['input']!r}: {first['msg']}") from error

    def bounds(self) -> dict[str, object]:
        """Those that a resumption may change."""
        said = {name: value for name in _BOUNDS if (value := getattr(self, name)) is not None}
        return said | ({"stop_on_failure": True} if self.stop_on_failure else {})

    def refuse_others(self) -> None:
        """See that a resumption is asked for nothing that the run has decided.

        Raises:
            UsageError: it is.
        """
        for name in _DECIDED:
            if getattr(self, name) is not None:
                text = f"{_spelled(name)} cannot be changed by --resume"
                raise UsageError(text, hint="start anew without --resume")

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

    def _monitor(self) -> MonitorOptions:
        from e2e_ansible.monitor.options import INTERVAL_SECONDS, MonitorOptions
        from e2e_ansible.monitor.thresholds import read_thresholds

        limits = read_thresholds(self.threshold or (), self.thresholds)
        return MonitorOptions(interval=self.monitor_interval or INTERVAL_SECONDS, thresholds=limits)


def _spelled(name: str) -> str:
    """The option of a field."""
    return f"--{name.replace('_', '-')}"
