"""`e2e-ansible run`: suites to a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from e2e_ansible.cli.cycles import (
    Cooldown,
    CycleOptions,
    Cycles,
    Inject,
    InjectAt,
    MaxFailures,
    PrimaryContext,
    Resume,
    RunHours,
    Schedule,
    SecondaryContext,
    Seed,
    StopOnFailure,
    soak_and_show,
)
from e2e_ansible.cli.monitoring import MonitorInterval, Threshold, ThresholdFile
from e2e_ansible.cli.options import (
    AllowPlugins,
    Budget,
    Debug,
    Engine,
    JsonLines,
    Keep,
    MaxNodes,
    Notify,
    Otel,
    Parallel,
    PrometheusFile,
    Provider,
    Pushgateway,
    Repeat,
    Runs,
    RunTest,
    StopOnError,
    SuiteFiles,
    TimeClasses,
    Verbose,
    When,
    notifier_for,
    run_options,
)
from e2e_ansible.engine.name import EngineName
from e2e_ansible.errors import UsageError
from e2e_ansible.notify.when import NotifyOn

if TYPE_CHECKING:
    from e2e_ansible.compile.plan import Plan

__all__ = ["run"]


def run(
    suites: SuiteFiles,
    run_test: RunTest = None,
    only_provider: Annotated[
        str | None, typer.Option("--only-provider", metavar="NAME", help="Only tests that say this provider.")
    ] = None,
    provider: Provider = None,
    time_class: TimeClasses = None,
    repeat: Repeat = 1,
    parallel: Parallel = 1,
    max_nodes: MaxNodes = None,
    budget: Budget = "",
    stop_on_error: StopOnError = False,
    keep: Keep = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and compile everything, show the plan, make no node.")
    ] = False,
    json: JsonLines = False,
    verbose: Verbose = False,
    debug: Debug = False,
    allow_plugins: AllowPlugins = False,
    engine: Engine = EngineName.WARM,
    runs: Runs = Path("runs"),
    notify: Notify = None,
    notify_on: When = NotifyOn.FAILURE,
    prometheus_file: PrometheusFile = None,
    pushgateway: Pushgateway = None,
    otel: Otel = False,
    cycles: Cycles = None,
    run_hours: RunHours = None,
    max_failures: MaxFailures = None,
    cooldown: Cooldown = None,
    stop_on_failure: StopOnFailure = False,
    resume: Resume = False,
    primary_context: PrimaryContext = None,
    secondary_context: SecondaryContext = None,
    inject_failure: Inject = None,
    inject_at_phase: InjectAt = None,
    seed: Seed = None,
    schedule: Schedule = None,
    threshold: Threshold = None,
    thresholds: ThresholdFile = None,
    monitor_interval: MonitorInterval = None,
) -> None:
    """Run suites, or plans that `plan -o` has written, on real nodes and judge them.

    A plan is run exactly as it is: one that was changed, or that other roles and plugins would run, is refused.
    With --cycles or --run-hours one test is done again and again; --dry-run goes through all of that without a node.
    """
    from e2e_ansible.cli.plan import show_plans
    from e2e_ansible.cli.suites import compile_files, of_classes, of_provider, plan_folders, read_plans
    from e2e_ansible.cli.views import run_and_show
    from e2e_ansible.run.engines import open_engine
    from e2e_ansible.run.repeat import repeated

    notifier = notifier_for(notify, notify_on, prometheus_file, pushgateway, otel=otel)
    written = plan_folders(suites)

    def compiled() -> list[Plan]:
        if written:
            made = read_plans(written, provider=provider, tests=run_test or ())
        else:
            made = compile_files(suites, provider=provider, allow_plugins=allow_plugins, tests=run_test or ())
        chosen = of_classes(of_provider(made, only_provider), time_class or ())
        return repeated(chosen, repeat)

    options = run_options(
        parallel=parallel,
        max_nodes=max_nodes,
        budget=budget,
        stop_on_error=stop_on_error,
        keep=keep,
        verbose=verbose,
        debug=debug,
        dry_run=dry_run,
        from_plans=bool(written),
    )
    said = CycleOptions(
        cycles=cycles,
        run_hours=run_hours,
        max_failures=max_failures,
        cooldown=cooldown,
        stop_on_failure=stop_on_failure,
        resume=resume,
        primary_context=primary_context,
        secondary_context=secondary_context,
        inject_failure=inject_failure,
        inject_at_phase=inject_at_phase,
        seed=seed,
        schedule=schedule,
        threshold=threshold,
        thresholds=thresholds,
        monitor_interval=monitor_interval,
    )
    if said.asked:
        if repeat > 1 or time_class:
            raise UsageError(
                "--repeat and --time-class are for tests, not for cycles",
                hint="--cycles says how many there are",
            )
        code = soak_and_show(
            suites,
            said,
            options,
            engine,
            runs=runs,
            json=json,
            provider=provider,
            allow_plugins=allow_plugins,
            tests=run_test or (),
            notifier=notifier,
        )
        raise typer.Exit(code)
    if dry_run:
        show_plans(compiled(), options, runs=runs, json=json)
        return
    with open_engine(engine) as opened:
        raise typer.Exit(run_and_show(compiled(), options, opened, runs=runs, json=json, notifier=notifier))
