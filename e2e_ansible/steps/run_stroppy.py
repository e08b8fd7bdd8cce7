"""`run_stroppy`: load the database with Stroppy, and hold what it measured against limits."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from e2e_ansible.artifacts.stroppy import Source, program
from e2e_ansible.artifacts.stroppy_catalogue import catalogue
from e2e_ansible.errors import E2EError
from e2e_ansible.load.stroppy_program import REQUEST, RUN
from e2e_ansible.load.stroppy_words import CONFIG, SUMMARY, problems
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType
from e2e_ansible.steps.load import CONTROLLER, LoadStepOptions, LoadTask, load_step, place_of
from e2e_ansible.steps.stroppy_install import PINNED_COMMIT, stroppy_environment
from e2e_ansible.suite.labels import RUN_STROPPY
from e2e_ansible.suite.parameters import Parameters
from e2e_ansible.suite.stroppy import StroppySource

__all__ = ["MODULES", "STARTER", "RunStroppy", "RunStroppyOptions"]

_INSTALLED = "/usr/local/bin/stroppy"
_ANYWHERE = "stroppy"
_URL = "@URL@"
_LOADING_SECONDS, _LOADING_SECONDS_PER_SCALE = 300, 60
_SECONDS_OF_ITERATIONS = 3600
_SECRETS = ("authPassword", "authToken")
_START = "stroppy_load.py"
MODULES = (
    "deadline",
    "stroppy_catalogue",
    "stroppy_words",
    "stroppy_otlp",
    "stroppy_series",
    "stroppy_program",
)
#: The modules lie side by side on the node, and call each other as they do here.
STARTER = """\
import sys, types
for name in ("e2e_ansible", "e2e_ansible.load"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = ["."]
from e2e_ansible.load.stroppy_program import main
sys.exit(main())
"""

Word = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,79}$")]
Value = bool | int | float | str


class RunStroppyOptions(LoadStepOptions):
    """What Stroppy is told, the same for both lines of it; where nothing is said it is what Stroppy does by itself."""

    workload: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]{0,79}$",
        description="What it does, such as tpcc/tx, tpcc/procs, tpcb/tx, tpch/tx or simple",
    )
    scale: int | float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="Scale factor; of TPC-C the number of warehouses, about 100 MB each",
    )
    executor: Literal["constant-vus", "shared-iterations"] | None = Field(
        None, description="How it runs: for a time, or a number of iterations that all share"
    )
    vus: int | None = Field(None, ge=1, le=10_000, description="Virtual users, each with a connection")
    duration_seconds: float | None = Field(
        None, ge=1, le=604_800, description="How long it runs, after its tables are loaded"
    )
    iterations: int | None = Field(None, ge=1, description="How many transactions it does, instead of a time")
    driver: Literal["pg", "noop"] = Field(
        "pg", description="noop: measure Stroppy itself, without the database"
    )
    driver_options: Mapping[Word, Value] = Field(
        default_factory=dict,
        description="Options of the driver, such as errorMode, bulkSize or pool.maxConns",
    )
    steps: tuple[Word, ...] = Field(
        (), strict=False, description="Do only these steps of it, such as workload"
    )
    no_steps: tuple[Word, ...] = Field(
        (), strict=False, description="Do all but these steps of it, such as load_data"
    )
    params: Mapping[Word, Value] = Field(
        default_factory=dict,
        description="Any parameter that it has for this workload, such as retry-attempts",
    )
    environment: Mapping[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str] = Field(
        default_factory=dict, description="Variables of its environment"
    )
    config: str | None = Field(
        None, description="A stroppy-config.json beside the suite; what this step says goes before it"
    )
    on_error: Literal["continue", "stop"] = Field(
        "continue",
        description="continue: errors are counted and the load goes on until its time is over; stop: the step fails",
    )
    require_compliance: bool = Field(False, description="Fail when it does not judge itself compliant")
    binary: str = Field(
        "",
        max_length=500,
        description=f"Path of the program; {_INSTALLED}, on the controller the one in PATH",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.steps and self.no_steps:
            raise ValueError("steps and no_steps are two ways to say which steps; give one of them")
        if self.iterations is not None and self.duration_seconds is not None:
            raise ValueError("duration_seconds and iterations are two ways to say how long; give one of them")
        if "url" in self.driver_options:
            raise ValueError("driver_options: the url is that of the test's database; see via and database")
        for name in self.driver_options:
            if name in _SECRETS:
                raise ValueError(f"driver_options: {name} would be in the plan, which everybody could read")
        if any(name.startswith("STROPPY_DRIVER") for name in self.environment):
            raise ValueError(
                "environment: STROPPY_DRIVER_N would go before the address of the test's database"
            )
        return self


class RunStroppy(StepType[RunStroppyOptions]):
    """Run Stroppy."""

    name = "run_stroppy"
    summary = "Load the database with Stroppy, and hold what it measured against limits"
    options = RunStroppyOptions

    def about(self, options: RunStroppyOptions) -> str:
        """Its workload."""
        return options.workload

    def target_names(self, options: RunStroppyOptions) -> Sequence[tuple[str, str]]:
        """Where it runs, if that is said."""
        return options.places

    def wrong_options(
        self, options: RunStroppyOptions, parameters: Parameters, folder: Path
    ) -> Sequence[tuple[tuple[str | int, ...], str, str]]:
        """What the program itself would not take, when it was made on this machine before."""
        told = _catalogue(parameters, folder) if not options.binary else None
        return problems(_request(options, ""), told) if told else ()

    def file_names(self, options: RunStroppyOptions) -> Sequence[tuple[tuple[str | int, ...], str]]:
        """Its configuration."""
        return [(("config",), options.config)] if options.config else []

    def compile(self, options: RunStroppyOptions, context: CompileContext) -> CompiledStep:
        """One task: a program that asks Stroppy what it is, and runs it."""
        place = place_of(options, context, RUN_STROPPY)
        here = place == CONTROLLER
        more = {} if here or options.binary else stroppy_environment(context)
        return load_step(options, context, [_loading(options, more, here=here)], on=place)


def _loading(options: RunStroppyOptions, more: Mapping[str, str], *, here: bool) -> LoadTask:
    binary = options.binary or (_ANYWHERE if here else _INSTALLED)
    request = json.dumps(_request(options, binary), indent=1)
    return LoadTask(
        name=f"Run Stroppy: {options.workload}",
        tool="stroppy",
        argv=["python3", "-B", _START],
        seconds=_seconds(options),
        workload=options.workload,
        env={**more, **options.environment},
        files={_START: STARTER, REQUEST: f"{request}\n"},
        programs={f"{name}.py": name for name in MODULES},
        copies={CONFIG: options.config} if options.config else {},
        keep=[RUN, SUMMARY],
    )


def _seconds(options: RunStroppyOptions) -> float:
    loading = _LOADING_SECONDS + _LOADING_SECONDS_PER_SCALE * (options.scale or 1)
    return (options.duration_seconds or _SECONDS_OF_ITERATIONS) + loading


def _request(options: RunStroppyOptions, binary: str) -> dict[str, Any]:
    """See `load/stroppy_words.py`; the address is put in where it runs."""
    given: dict[str, Any] = {
        "binary": binary,
        "workload": options.workload,
        "driver": options.driver,
        "url": _URL if options.driver == "pg" else "",
        "scale": options.scale,
        "executor": options.executor,
        "vus": options.vus,
        "duration_seconds": options.duration_seconds,
        "iterations": options.iterations,
        "driver_options": dict(options.driver_options),
        "steps": list(options.steps),
        "no_steps": list(options.no_steps),
        "params": dict(options.params),
        "on_error": options.on_error,
        "require_compliance": options.require_compliance,
    }
    return {name: value for name, value in given.items() if value not in (None, "", [], {})}


def _catalogue(parameters: Parameters, folder: Path) -> Mapping[str, Any] | None:
    """What the program that the suite names said when it was made; nothing is made or run for it."""
    source = parameters.stroppy or StroppySource(commit=PINNED_COMMIT)
    given = source.model_dump(exclude_none=True)
    try:
        made = program(Source(**given, folder=str(folder)), platform.machine(), only_look=True)
        return catalogue(made.sha256) if made else None
    except (E2EError, OSError, ValueError):
        return None  # whatever is wrong with it, the step that makes it says so
