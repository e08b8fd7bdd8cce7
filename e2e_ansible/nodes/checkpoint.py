"""The guard as a task runs it: reads the target's identity over the act's own connection and asks `guard`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from e2e_ansible.nodes.guard import Identity, refusal, sysrq_refusal
from e2e_ansible.nodes.link import Answer

__all__ = ["Target", "check"]


class Target(BaseModel):
    """Whom a task is about to hit, as Ansible sees it; see `guard.refusal` for the fields."""

    model_config = ConfigDict(frozen=True)

    host: str
    delegated_to: str = ""
    connection: str
    address: str
    in_inventory: bool
    expected_machine_id: str = ""


def check(target: Target, controller: Identity, ask: Callable[..., Answer], *, sysrq: bool) -> dict[str, Any]:
    """The result of the task: `failed` with a message that starts with "refused: ", or the target's identity.

    A refused SysRq is no failure, because the act has a form without it: `sysrq_allowed` tells which to use.
    """
    if target.delegated_to and target.delegated_to != target.host:
        return _refused(f"the task for {target.host} is delegated to {target.delegated_to}")
    answer = ask()
    if answer.identity is None:
        return _refused(f"{target.host} does not tell who it is: {answer.reason}")
    reason = refusal(
        controller=controller,
        target=answer.identity,
        host=target.host,
        connection=target.connection,
        address=target.address,
        in_inventory=target.in_inventory,
        expected_machine_id=target.expected_machine_id,
    )
    if reason:
        return {**_refused(reason), "identity": answer.identity.model_dump(mode="json")}
    return _allowed(target, controller, answer.identity, sysrq)


def _allowed(target: Target, controller: Identity, identity: Identity, sysrq: bool) -> dict[str, Any]:
    result = {
        "changed": False,
        "identity": identity.model_dump(mode="json"),
        "boot": list(identity.boot),
    }
    if sysrq:
        reason = sysrq_refusal(controller=controller, target=identity, host=target.host)
        result |= {"sysrq_allowed": reason is None, "sysrq_reason": reason or ""}
    return result


def _refused(reason: str) -> dict[str, Any]:
    return {"failed": True, "changed": False, "msg": f"refused: {reason}"}
