"""The numbers of clients and faults that all reports share, each under one name and with one spelling."""

from __future__ import annotations

from collections.abc import Iterator

from e2e_ansible.checks.history import CHECKS
from e2e_ansible.judge.clients import ClientResult
from e2e_ansible.judge.outage import FaultImpact
from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.report.load import load_numbers

__all__ = ["client_numbers", "impact_numbers", "numbers_of_step", "numbers_of_test"]

_JUDGING = {check.name: check.required_arguments for check in CHECKS}


def client_numbers(client: ClientResult) -> Iterator[tuple[str, str]]:
    """The numbers of one client; lengths are in seconds. There are none of what it never asked for."""
    yield "operations", str(client.operations)
    yield "ok", str(client.ok)
    yield "fail", str(client.fail)
    yield "unknown", str(client.unknown)
    yield "outages", str(client.outage_count)
    if client.operations > client.reads:
        yield "outage_writes_seconds", seconds(client.outage_writes)
    if client.reads:
        yield "outage_reads_seconds", seconds(client.outage_reads)
    yield "acknowledged", str(client.acknowledged)
    if client.examined:
        yield "lost", str(client.lost_count)
        yield "resurrected", str(client.resurrected_count)
    yield "findings", str(client.finding_count)


def impact_numbers(impact: FaultImpact, client: ClientResult) -> Iterator[tuple[str, str]]:
    """What one fault did to one client; what it never asked for and a recovery that never came are left out."""
    yield "outages", str(impact.windows)
    if client.operations > client.reads:
        yield "outage_writes_seconds", seconds(impact.writes)
    if client.reads:
        yield "outage_reads_seconds", seconds(impact.reads)
    for name in ("recovery_from_injection", "recovery_from_heal"):
        number = getattr(impact, name)
        if number is not None:
            yield f"{name}_seconds", seconds(number)


def numbers_of_test(test: TestResult) -> Iterator[tuple[str, str]]:
    """All numbers of all clients: `client.NAME.NUMBER`."""
    for client in test.clients:
        for name, number in client_numbers(client):
            yield f"client.{client.name}.{name}", number


def numbers_of_step(step: StepResult, test: TestResult) -> Iterator[tuple[str, str]]:
    """What it measured, what its faults did to each client, and the numbers of the clients that it judged."""
    for name, number in load_numbers(step.load) if step.load is not None else ():
        yield f"load.{name}", number
    own = {fault.id for fault in test.faults if fault.step == step.id}
    judged = [_judges(check.check) for check in step.validation_results]
    for client in test.clients:
        for impact in client.faults:
            if impact.fault in own:
                for name, number in impact_numbers(impact, client):
                    yield f"client.{client.name}.fault.{impact.fault}.{name}", number
        if any(name in ("", client.name) for name in judged):
            for name, number in client_numbers(client):
                yield f"client.{client.name}.{name}", number


def _judges(check: str) -> str | None:
    """The client whose history a check judges, empty for every one, None for a check of something else."""
    name, *arguments = check.split(":")
    if name not in _JUDGING:
        return None
    return next(iter(arguments[_JUDGING[name] :]), "")


def seconds(number: float) -> str:
    """A length to the millisecond."""
    return f"{number:.3f}"
