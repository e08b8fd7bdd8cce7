"""The monitor of a soak: begun when the nodes are there, told of cycles and phases, ended before they are removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from e2e_ansible.compile.plan import Plan
from e2e_ansible.monitor.look import EngineLook
from e2e_ansible.monitor.monitor import Monitor
from e2e_ansible.monitor.options import MonitorOptions
from e2e_ansible.report.notice import Alerted, Message
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import make_private
from e2e_ansible.soak.folder import SoakFolder
from e2e_ansible.soak.metrics import read
from e2e_ansible.soak.records import Record

__all__ = ["Watch"]

_NAME = "monitor"


@dataclass
class Watch:
    """The monitor while it looks."""

    _look: EngineLook | None = None
    _monitor: Monitor | None = None

    def begin(
        self,
        folder: SoakFolder,
        plan: Plan,
        deployment: str,
        context: RunContext,
        record: Callable[[Record], None],
        *,
        options: MonitorOptions,
    ) -> None:
        """Begin to look at the nodes of a plan.

        Raises:
            OSError: the plan of the look could not be written.
        """
        place = folder.path / _NAME
        make_private(place)
        token = f"{context.run_id}/{_NAME}"

        def warn(text: str) -> None:
            context.tell(Message(at=context.now(), level="warning", text=text))

        self._look = EngineLook(
            context.engine,
            plan,
            place,
            provider=context.provider(plan.provider),
            deployment=deployment,
            token=token,
            environment=context.environment,
            now=context.now,
        )
        self._monitor = Monitor(
            {node.name: node.labels for node in plan.nodes},
            plan.contexts or (),
            self._look,
            record,
            run_id=context.run_id,
            alerts=folder.alerts,
            limits=options.thresholds,
            interval=options.interval,
            deadline_seconds=options.deadline,
            past=read(folder.metrics),
            now=context.now,
            warn=warn,
        )
        for alert in self._monitor.active:  # of a run that goes on
            context.tell(Alerted(at=context.now(), alert=alert))
        self._monitor.start()

    def cycle(self, number: int, contexts: Sequence[str], deployment: str) -> None:
        """A cycle begins, with its contexts in their order, on the nodes of this deployment."""
        if self._look is not None:
            self._look.deployment = deployment
        if self._monitor is not None:
            self._monitor.cycle(number, contexts)

    def phase(self, number: int, name: str) -> None:
        """A phase begins."""
        if self._monitor is not None:
            self._monitor.phase(number, name)

    def end(self) -> None:
        """Look no more. Safe to repeat."""
        if self._monitor is not None:
            self._monitor.stop()
            self._monitor = None
        if self._look is not None:
            self._look.close()
            self._look = None
