"""What happens to the nodes of a test when its steps have ended: faults healed, coverage and logs brought, all removed.

Logs are brought earlier where something failed and what follows may change what there is to see.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.processes import end_all
from e2e_ansible.errors import InfrastructureError
from e2e_ansible.faults.ledger import read
from e2e_ansible.judge.entry import CleanUpEnded, Evidence, FaultsHealed
from e2e_ansible.run.clean_up import clean_up, keeps
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.coverage import COVERAGE, collect_coverage
from e2e_ansible.run.evidence import EVIDENCE, collect
from e2e_ansible.run.folder import TestFolder
from e2e_ansible.run.healing import heal_open
from e2e_ansible.run.lane import Lanes
from e2e_ansible.run.logbook import Logbook
from e2e_ansible.verdict import Verdict

__all__ = ["Teardown"]


@dataclass
class Teardown:
    """Of one test. What goes wrong is raised by each, so the others are done all the same.

    `collected` says that there are logs of all that did not pass up to now.
    """

    context: RunContext
    plan: Plan
    folder: TestFolder
    deployment: str
    lanes: Lanes
    log: Logbook
    collected: bool = False
    _collecting: threading.Lock = field(default_factory=threading.Lock)

    def collect(self) -> None:
        """Bring the logs of the nodes, once for what failed. Any thread may call; never raises."""
        with self._collecting:
            if not self.collected and not self.context.abandon.is_set:
                self.collected = True
                self.log.guarded(self._collect)

    def forgive(self) -> None:
        """A rescue has made good what failed: what fails from now on has logs of its own."""
        self.collected = False

    def heal(self) -> None:
        """Whatever the steps have left open, also when nothing more is to be done of them."""
        if self.context.abandon.is_set:
            self._leave_faults()
            return
        healed = heal_open(self.context, self.folder, self.plan.provider, self.deployment, self.lanes.token)
        if healed is not None:
            self.log.write(healed)
            self.log.say(healed.message, level="info" if healed.ok else "error")

    def cover(self) -> None:
        """What a program under test noted of its lines, before the nodes that have it go."""
        context = self.context
        if self.plan.parameters.get(COVERAGE) is None or context.abandon.is_set:
            return
        with self.lanes.one() as lane:
            here = self._in(lane.environment)
            done = collect_coverage(here, self.folder, self.plan, self.deployment, lane.token)
        if done is not None:
            if done.files:
                self.log.write(Evidence(at=context.now(), folder=COVERAGE, message=done.message))
            self.log.say(done.message)
            if done.trouble and context.lasting_nodes:  # a later cycle may note something
                self.log.say(done.trouble, level="warning")
            elif done.trouble:
                raise InfrastructureError(done.trouble)

    def end_processes(self) -> None:
        """End all that was begun for the test and still lives."""
        left = end_all(self.lanes.token)
        if left:
            self.log.say(f"processes would not end: {', '.join(map(str, left))}", level="warning")

    def clean_up(self, verdict: Verdict) -> None:
        """Remove the nodes, or keep them as the policy says for this verdict."""
        context = self.context
        if context.abandon.is_set:
            text = f"interrupted twice: deployment {self.deployment} was left as it is"
            self.log.write(CleanUpEnded(at=context.now(), ok=False, kept=True, message=text))
            return
        if context.lasting_nodes:
            self.log.write(CleanUpEnded(at=context.now(), ok=True, kept=False, message=""))
            return
        keep = keeps(context.options.keep or self.plan.keep, verdict)
        self.log.say("keeping the nodes" if keep else "removing the nodes")
        provider = context.provider(self.plan.provider)
        self.log.write(clean_up(provider, self.deployment, keep=keep, at=context.now()))

    def _collect(self) -> None:
        self.log.say("collecting the logs of the nodes")
        count = sum(each.folder != COVERAGE for each in self.log.record.evidence)
        with self.lanes.one() as lane:
            evidence = collect(
                self._in(lane.environment),
                self.folder,
                self.plan.provider,
                self.deployment,
                lane.token,
                name=f"{EVIDENCE}-{count + 1}" if count else EVIDENCE,
            )
        if evidence is not None:
            self.log.write(evidence)
            self.log.say(evidence.message)

    def _in(self, environment: Mapping[str, str]) -> RunContext:
        return replace(self.context, environment=environment)

    def _leave_faults(self) -> None:
        left = [f"{each.name or each.fault} on {each.node}" for each in read(self.folder.faults) if each.open]
        if left:
            text = f"interrupted twice, so it was left as it is: {', '.join(left)}"
            self.log.write(FaultsHealed(at=self.context.now(), ok=False, left=True, message=text))
