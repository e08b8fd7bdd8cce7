"""Collects from all nodes what a program under test noted of its lines that ran, before anything is removed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from e2e_ansible.compile.compiler import COVERAGE_PLAYBOOK, INVENTORY
from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Ended, PlayRequest
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.evidence import nodes_there
from e2e_ansible.run.folder import TestFolder
from e2e_ansible.suite.coverage import CoverageOptions

__all__ = ["COVERAGE", "Collected", "collect_coverage", "coverage_options"]

COVERAGE = "coverage"
"""Folder in that of the test, with one folder for each node."""

_PLAY = "coverage-play"
_HOW = "; the program writes there if GOCOVERDIR says so, when it ends: name its unit in coverage.stop"


@dataclass(frozen=True)
class Collected:
    """What came of it, how many files that are, and what went wrong, '' if nothing."""

    message: str
    files: int
    trouble: str = ""


def coverage_options(plan: Plan) -> CoverageOptions | None:
    """What the suite says of coverage, None when nothing is to be collected."""
    given = plan.parameters.get(COVERAGE)
    return CoverageOptions.model_validate(given) if given else None


def collect_coverage(
    context: RunContext, folder: TestFolder, plan: Plan, deployment: str, token: str
) -> Collected | None:
    """Bring the files of every node that may be on; None when there is no node. A deadline of its own."""
    options = coverage_options(plan)
    there = nodes_there(context, plan.provider, deployment) if options else ()
    if options is None or not there:
        return None
    nodes = [node for node in there if node.power in (PowerState.ON, PowerState.UNKNOWN)]
    target, artifacts = folder.path / COVERAGE, folder.path / _PLAY
    for place in (target, artifacts):
        place.mkdir(mode=0o700, exist_ok=True)
    request = PlayRequest(
        project=folder.plan,
        playbook=COVERAGE_PLAYBOOK,
        inventory=INVENTORY,
        artifacts=artifacts,
        deadline_seconds=options.timeout_seconds,
        token=f"{token}/{COVERAGE}",
        environment=dict(context.environment) | {"E2E_DEPLOYMENT": deployment, "E2E_COVERAGE": str(target)},
        limit=",".join(node.name for node in nodes),
    )
    trouble = _play(context, request) if nodes else ""
    counts = {node.name: _files(target / node.name) for node in there}
    off = [f"{node.name} is {node.power}" for node in there if node not in nodes]
    told = ", ".join(f"{count} of {name}" for name, count in counts.items())
    text = "; ".join([f"files of coverage: {told}", *off])
    if trouble:
        trouble = f"coverage is not complete: {trouble}"
    elif not any(counts.values()):
        trouble = f"no coverage was collected: no node has a file in {options.directory}" + _HOW
    return Collected(text, sum(counts.values()), trouble)


def _play(context: RunContext, request: PlayRequest) -> str:
    """What went wrong, '' if nothing."""
    failures: list[str] = []

    def note(event: Event) -> None:
        if event.kind in (Kind.FAILED, Kind.UNREACHABLE):
            failures.append(f"{event.host}: {(event.data.get('res') or {}).get('msg') or event.kind}")

    outcome = context.engine.run(request, note, context.abandon)
    if outcome.ended is Ended.COMPLETED and not outcome.rc:
        return ""
    return "; ".join(failures) or outcome.message or f"ansible-playbook ended with {outcome.rc}"


def _files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*")) if folder.is_dir() else 0
