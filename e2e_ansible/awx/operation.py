"""One operation by its job template, as a run with one step: the same folder, journal and reports."""

from __future__ import annotations

from pathlib import PurePosixPath

from e2e_ansible.awx.carried import Carried
from e2e_ansible.awx.jobs import Job, seconds_of
from e2e_ansible.awx.step_follow import StepFollow
from e2e_ansible.awx.time_limit import TimeLimit
from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.judge.entry import CleanUpEnded, Entry, TestEnded, TestStarted
from e2e_ansible.judge.result import TestResult
from e2e_ansible.report import notice
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import ManifestTest, TestFolder, write_private
from e2e_ansible.run.journal import EventLog, Journal
from e2e_ansible.run.results import read_test
from e2e_ansible.steps.judgement import Judgement, Replay
from e2e_ansible.suite.model import Requirements, SourceRef

__all__ = ["follow_operation", "operation_plan"]

#: Playbooks that must prove on each host what they did to it, which may take its connection.
_PROVING = frozenset(
    {"crash_node", "reboot_node", "restart_node", "start_node", "stop_node", "start_cluster", "stop_cluster"}
)
_DEADLINE_SECONDS = 3600.0
_NOT_IN_LIMITS = frozenset("*?!&[]@~:")


def operation_plan(template: str, playbook: str, limit: str) -> Plan:
    """A plan with the one step that a job template does. Without a limit of plain names its hosts are not known."""
    kind = PurePosixPath(playbook).stem
    hosts = () if _NOT_IN_LIMITS & set(limit) else tuple(filter(None, limit.replace(" ", "").split(",")))
    proving = hosts if kind in _PROVING else ()
    source = SourceRef(file=f"AWX: {template}", line=1, column=1)
    step = PlannedStep(
        index=1,
        id=f"01-{kind}",
        type=kind,
        description="",
        playbook=playbook,
        hosts=hosts,
        deadline_seconds=_DEADLINE_SECONDS,
        replay=Replay.NEVER,
        source=source,
        judgement=Judgement(proofs=proving, disconnects=proving),
    )
    return Plan(
        name=template,
        provider="awx",
        description=f"the job template {template}",
        suite_file=source.file,
        suite_digest="",
        nodes=(),
        database="standalone",
        primary="",
        admin_ui=False,
        writer=False,
        keep="always",
        requirements=Requirements(),
        parameters={},
        source=source,
        steps=(step,),
    )


def follow_operation(
    context: RunContext, plan: Plan, entry: ManifestTest, folder: TestFolder, job: Job
) -> TestResult:
    """Follow the job to its result.

    Raises:
        OSError: the run folder cannot be written.
    """
    (step,) = plan.steps
    journal, events = Journal(folder.journal), EventLog(folder.events)

    def write(record: Entry) -> None:
        journal.append(record)

    try:
        at = seconds_of(job.last.get("created")) or context.now()
        write(TestStarted(at=at, deployment=entry.deployment, plan_hash=plan.hash))
        summary = notice.StepSummary(
            id=step.id, type=step.type, description="", hosts=step.hosts, source=step.source
        )
        context.tell(
            notice.TestStarted(at=at, test=plan.name, deployment_id=entry.deployment, steps=(summary,))
        )
        limit = TimeLimit(plan, write)
        StepFollow(context, plan, step, folder, job, write, events, Carried(folder), limit).run()
        ended = seconds_of(job.last.get("finished")) or context.now()
        write(
            CleanUpEnded(at=ended, ok=True, kept=False, message="an operation leaves the nodes as they are")
        )
        write(TestEnded(at=ended))
    finally:
        journal.close()
        events.close()
    result = read_test(folder, entry.folder)
    write_private(folder.result, result.model_dump_json(indent=1) + "\n")
    context.tell(notice.TestEnded(at=ended, result=result))
    return result
