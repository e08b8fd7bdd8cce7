"""Does one power operation on one host by its provider, and refuses hosts that no provider made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from e2e_ansible.errors import GuardError
from e2e_ansible.nodes.look import provider_of
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Node, Operation, PowerResult, Provider

__all__ = ["STATE", "operate"]

STATE = "state"
"""The operation that only looks."""

_TARGET = {Operation.ON: PowerState.ON, Operation.OFF: PowerState.OFF, Operation.HARD_OFF: PowerState.OFF}


def operate(
    variables: Mapping[str, Any],
    host: str,
    operation: str,
    deadline_seconds: float,
    *,
    check_mode: bool = False,
) -> PowerResult:
    """Bring the node to where `operation` wants it; nothing is done when it is there already.

    Raises:
        GuardError: the host names no provider and deployment, or they have no such node.
        ProviderError: the provider failed, or the deadline passed.
    """
    provider, deployment = _named(variables, host)
    node = _listed(provider, deployment, host)
    if operation == STATE:
        return PowerResult(changed=False, before=node.power, after=node.power, detail="only looked")
    wanted = Operation(operation)
    target = _TARGET.get(wanted)
    if node.power is target:
        return PowerResult(changed=False, before=node.power, after=node.power, detail=f"already {target}")
    if check_mode:
        return PowerResult(
            changed=True, before=node.power, after=target or node.power, detail="check mode: not done"
        )
    return provider.power(deployment, host, wanted, deadline_seconds)


def _named(variables: Mapping[str, Any], host: str) -> tuple[Provider, str]:
    named = provider_of(variables)
    if named is None:
        raise GuardError(f"{host} has no e2e_provider and e2e_deployment, so no provider may power it")
    return named


def _listed(provider: Provider, deployment: str, host: str) -> Node:
    for node in provider.nodes(deployment):
        if node.name == host:
            return node
    raise GuardError(f"deployment {deployment} of provider {provider.name} has no node {host}")
