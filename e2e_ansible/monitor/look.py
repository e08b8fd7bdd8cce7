"""One look at all nodes: a small plan of its own, run by the engine beside the steps, with its own ssh masters."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from e2e_ansible.compile.compiler import ANSIBLE_CFG, INVENTORY
from e2e_ansible.compile.plan import Plan
from e2e_ansible.compile.render import playbook_text
from e2e_ansible.engine.event import Event
from e2e_ansible.engine.protocol import Cancel, Ended, Engine, PlayRequest
from e2e_ansible.errors import InfrastructureError
from e2e_ansible.nodes.observation import NodeObservation, Observation, PowerState
from e2e_ansible.providers.base import Provider
from e2e_ansible.run.lane import Lanes
from e2e_ansible.run.plan_folder import write_plan
from e2e_ansible.steps.base import play

__all__ = ["PLAYBOOK", "EngineLook", "monitor_plan"]

PLAYBOOK = "playbooks/monitor.yml"
_SOCKETS, _OWN = "ANSIBLE_SSH_CONTROL_PATH_DIR", "m"  # sockets have short names
_WRITTEN_LAST = "SHA256SUMS"
_BY_HAND = f"E2E_DEPLOYMENT=NAME ansible-playbook -v {PLAYBOOK}"


def monitor_plan(plan: Plan) -> Plan:
    """The plan of the look at the nodes of a test: the same inventory, no steps, one playbook."""
    wanted: dict[str, object] = {
        "new_login": False,
        "read_only": True,
        "system": False,
        "load": True,
        "exporter": bool(plan.parameters.get("exporter")),
        "backup": bool(plan.parameters.get("backup")),
        "patroni": plan.database == "patroni",
    }
    names = [node.name for node in plan.nodes]
    look = {"name": "Look at the node", "observe": wanted, "become": True}
    plays = [play("Observe all nodes", names, tasks=[look])]
    header = [f"{plan.name}: what the monitor sees of all nodes"]
    files = {
        "ansible.cfg": ANSIBLE_CFG,
        INVENTORY: plan.files[INVENTORY],
        PLAYBOOK: playbook_text(header, _BY_HAND, plays),
    }
    return plan.model_copy(update={"steps": (), "flow": (), "files": files})


class EngineLook:
    """Looks by the engine. `folder` is its own; the plan is written there. Close it when nobody looks any more.
    `deployment` may be set to another one with the same nodes.
    `environment` is that of the run. Sockets of ssh lie beside those of the steps, and no process is shared with them.
    """

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        folder: Path,
        *,
        provider: Provider,
        deployment: str,
        token: str,
        environment: Mapping[str, str],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._engine, self._folder, self._now = engine, folder, now
        self.deployment = deployment
        self._provider, self._nodes = provider, plan.nodes
        sockets = {_SOCKETS: f"{environment[_SOCKETS]}/{_OWN}"} if _SOCKETS in environment else {}
        self._lane = Lanes(token, {**environment, **sockets}).lane()
        if not (folder / _WRITTEN_LAST).is_file():
            write_plan(monitor_plan(plan), folder)

    def __call__(self, deadline_seconds: float, cancel: Cancel) -> Observation:
        """See `Look`.

        Raises:
            InfrastructureError: it was not done in time, or Ansible could not do it.
            E2EError: the provider does not answer.
        """
        at, events = self._now(), list[Event]()
        if self.deployment not in self._provider.deployments():
            return Observation(at=at, nodes=self._absent())
        artifacts = Path(tempfile.mkdtemp(prefix="look-", dir=self._lane.environment.get("TMPDIR")))
        try:
            request = PlayRequest(
                project=self._folder,
                playbook=PLAYBOOK,
                inventory=INVENTORY,
                artifacts=artifacts,
                deadline_seconds=deadline_seconds,
                token=self._lane.token,
                environment={**self._lane.environment, "E2E_DEPLOYMENT": self.deployment},
            )
            outcome = self._engine.run(request, events.append, cancel)
        finally:
            shutil.rmtree(artifacts, ignore_errors=True)
        if outcome.ended is not Ended.COMPLETED:
            raise InfrastructureError(f"the nodes could not be looked at: {outcome.message or outcome.ended}")
        return Observation(at=at, nodes=self._observed(events))

    def close(self) -> None:
        """End the masters of ssh."""
        self._lane.end()

    def _absent(self) -> tuple[NodeObservation, ...]:
        """Before the nodes are made and after they were removed there is nothing to look at."""
        return tuple(
            NodeObservation(node=node.name, power=PowerState.ABSENT, reachable=False, labels=node.labels)
            for node in self._nodes
        )

    def _observed(self, events: list[Event]) -> tuple[NodeObservation, ...]:
        found = {
            event.host: NodeObservation.model_validate(event.result["observation"])
            for event in events
            if isinstance(event.result.get("observation"), Mapping)
        }
        missing = [node.name for node in self._nodes if node.name not in found]
        if missing:
            said = [str(event.result.get("msg") or event.stdout) for event in events if event.host in missing]
            reason = " ".join(" ".join(filter(None, said)).split())[:300]
            raise InfrastructureError(f"{', '.join(missing)} could not be looked at: {reason or 'no word'}")
        return tuple(found.values())
