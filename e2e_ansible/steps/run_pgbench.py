"""`run_pgbench`: load the database with pgbench, and hold what it measured against limits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from e2e_ansible.load.pgbench import INITIALISE, LOG_PREFIX, REDUCED, RUN
from e2e_ansible.load.script import FOLDER
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType
from e2e_ansible.steps.load import LoadStepOptions, LoadTask, load_step

__all__ = ["RunPgbench", "RunPgbenchOptions"]

_DEFAULT_SECONDS = 60
_INIT_SECONDS, _INIT_SECONDS_PER_SCALE = 120, 2
_SECONDS_OF_TRANSACTIONS = 3600
_REDUCER = "pgbench_reduce.py"
_RUN = "run.sh"
#: So that a server that is gone without a word is noticed. Where it is, is in the environment: a name may be any text.
_CONNECTION = "keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=10000"

Script = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$", max_length=200)]


class RunPgbenchOptions(LoadStepOptions):
    """What pgbench is told; where nothing is said it is what pgbench does by itself."""

    initialise: bool = Field(True, description="Make its tables and fill them; what was in them is gone")
    scale: int = Field(1, ge=1, le=100_000, description="Size: 100 000 accounts each, about 16 MB")
    fillfactor: int | None = Field(None, ge=10, le=100, description="Fill factor of its tables")
    foreign_keys: bool = Field(False, description="Make foreign keys between its tables")
    builtin: Literal["tpcb-like", "simple-update", "select-only"] = Field(
        "tpcb-like", description="Its transaction, unless there are scripts"
    )
    scripts: tuple[Script, ...] = Field(
        (), strict=False, max_length=20, description="Files with transactions of your own, beside the suite"
    )
    clients: int = Field(4, ge=1, le=10_000, description="Connections")
    jobs: int = Field(1, ge=1, le=1000, description="Threads of pgbench, at most one for each client")
    duration_seconds: int | None = Field(None, ge=1, le=604_800, description="How long it runs (60)")
    transactions: int | None = Field(
        None, ge=1, le=1_000_000_000, description="Transactions of each client, instead of a time"
    )
    rate: float | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="Transactions per second that are begun; without it as many as can be",
    )
    protocol: Literal["simple", "extended", "prepared"] = Field(
        "simple", description="Protocol of its queries"
    )
    progress_seconds: int = Field(1, ge=1, le=3600, description="Length of an interval")
    max_tries: int = Field(
        1,
        ge=1,
        le=1000,
        description="How often a transaction is tried that failed to serialise or in a deadlock",
    )
    reconnect: bool = Field(
        False,
        description="Start it again for the time that is left when all its connections were lost, as in a failover",
    )
    seed: int | None = Field(None, ge=0, description="Seed of what is drawn by chance")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.transactions is not None and self.duration_seconds is not None:
            raise ValueError(
                "duration_seconds and transactions are two ways to say how long; give one of them"
            )
        if self.transactions is not None and self.reconnect:
            raise ValueError("reconnect needs duration_seconds: how many transactions are left is not known")
        if self.jobs > self.clients:
            raise ValueError(f"jobs: {self.jobs} threads cannot share {self.clients} clients")
        if any(".." in Path(script).parts for script in self.scripts):
            raise ValueError("scripts: they are beside the suite or in folders there, so without ..")
        return self

    @property
    def workload(self) -> str:
        """Names of its scripts in their order."""
        return ", ".join(self.scripts) or self.builtin


class RunPgbench(StepType[RunPgbenchOptions]):
    """Run pgbench."""

    name = "run_pgbench"
    summary = "Load the database with pgbench, and hold what it measured against limits"
    options = RunPgbenchOptions

    def about(self, options: RunPgbenchOptions) -> str:
        """Its workload."""
        return options.workload

    def target_names(self, options: RunPgbenchOptions) -> Sequence[tuple[str, str]]:
        """Where it runs, if that is said."""
        return options.places

    def file_names(self, options: RunPgbenchOptions) -> Sequence[tuple[tuple[str | int, ...], str]]:
        """Its scripts."""
        return [(("scripts", number), name) for number, name in enumerate(options.scripts)]

    def compile(self, options: RunPgbenchOptions, context: CompileContext) -> CompiledStep:
        """Its tables, if asked for, then its load."""
        tasks = [_initialising(options)] if options.initialise else []
        return load_step(options, context, [*tasks, _loading(options)])


def _initialising(options: RunPgbenchOptions) -> LoadTask:
    words = ["--initialize", "--quiet", f"--scale={options.scale}"]
    words += [f"--fillfactor={options.fillfactor}"] if options.fillfactor else []
    words += ["--foreign-keys"] if options.foreign_keys else []
    return LoadTask(
        name="Fill the tables of pgbench",
        tool="pgbench",
        argv=["/bin/sh", _RUN, *words, _CONNECTION],
        seconds=_INIT_SECONDS + _INIT_SECONDS_PER_SCALE * options.scale,
        files={_RUN: INITIALISE},
        measure=False,
        artifacts="pgbench-init",
    )


def _loading(options: RunPgbenchOptions) -> LoadTask:
    time = 0 if options.transactions else options.duration_seconds or _DEFAULT_SECONDS
    how = [str(time), str(options.max_tries), "yes" if options.reconnect else "no"]
    return LoadTask(
        name="Run pgbench",
        tool="pgbench",
        argv=["/bin/sh", _RUN, *how, *_words(options), _CONNECTION],
        seconds=time or _SECONDS_OF_TRANSACTIONS,
        workload=options.workload,
        files={_RUN: RUN},
        programs={_REDUCER: _REDUCER.removesuffix(".py")},
        copies={_copy(number): script for number, script in enumerate(options.scripts)},
        keep=[REDUCED],
        after=["python3", "-I", "-S", _REDUCER, LOG_PREFIX, str(options.progress_seconds), REDUCED],
    )


def _words(options: RunPgbenchOptions) -> list[str]:
    words = [
        "--no-vacuum",
        f"--client={options.clients}",
        f"--jobs={options.jobs}",
        f"--progress={options.progress_seconds}",
        f"--protocol={options.protocol}",
    ]
    scripts = [f"--file={FOLDER}/{_copy(number)}" for number in range(len(options.scripts))]
    words += scripts or [f"--builtin={options.builtin}"]
    words += [f"--scale={options.scale}"] if options.scripts else []
    words += [f"--transactions={options.transactions}"] if options.transactions else []
    words += [f"--rate={options.rate:g}"] if options.rate else []
    words += [f"--random-seed={options.seed}"] if options.seed is not None else []
    return words


def _copy(number: int) -> str:
    return f"script-{number}.sql"
