"""Does one power operation on one host by its provider, and refuses hosts that no provider made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from e2e_ansible.errors import GuardError, UsageError
from e2e_ansible.nodes.freshness import touch
from e2e_ansible.nodes.look import name_refusal, node_name, provider_of
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Node, Operation, PowerResult, Provider
from e2e_ansible.providers.capabilities import PROVIDERS, Requirement, require

__all__ = ["GRACEFUL", "HARD", "STATE", "meant", "operate"]

STATE = "state"
"""The operation that only looks."""

GRACEFUL, HARD = "graceful", "hard"
"""Whether the guest is asked, or its power is cut."""

_HARD = {"off": Operation.HARD_OFF, "reboot": Operation.RESET}
_NEEDS = {
    Operation.ON: Requirement.NODE_STOP_START,
    Operation.OFF: Requirement.NODE_STOP_START,
    Operation.HARD_OFF: Requirement.CRASH_DESTROY,
    Operation.RESET: Requirement.POWER_RESET,
    Operation.NMI: Requirement.POWER_NMI,
}
_TARGET = {Operation.ON: PowerState.ON, Operation.OFF: PowerState.OFF, Operation.HARD_OFF: PowerState.OFF}


def meant(operation: str, mode: str) -> str:
    """The operation in one word: `off` and `reboot` are hard ones with the mode `hard`.

    Raises:
        UsageError: what has no gentle form has no hard one either.
    """
    if mode == GRACEFUL or operation in _HARD.values():
        return operation
    if operation not in _HARD:
        raise UsageError(f"mode hard is for {' and '.join(_HARD)}, not for {operation}", hint="leave it out")
    return _HARD[operation].value


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
        GuardError: the host names no provider and deployment, or they have no such node, or several hosts are
            said to be it.
        UnsupportedOperation: the provider cannot do it; it was not asked for anything.
        ProviderError: the provider failed, or the deadline passed.
    """
    provider, deployment = _named(variables, host)
    if operation != STATE:
        _refuse_impossible(provider.name, Operation(operation))
    node = _listed(provider, deployment, node_name(variables, host))
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
    try:
        return provider.power(deployment, node.name, wanted, deadline_seconds)
    finally:
        touch(provider.name, deployment)


def _refuse_impossible(provider: str, operation: Operation) -> None:
    """A provider that is not in the table, of somebody else's package, says so itself."""
    if provider in PROVIDERS and operation in _NEEDS:
        require(provider, _NEEDS[operation])


def _named(variables: Mapping[str, Any], host: str) -> tuple[Provider, str]:
    named = provider_of(variables)
    if named is None:
        raise GuardError(f"{host} has no e2e_provider and e2e_deployment, so no provider may power it")
    refused = name_refusal(variables, host)
    if refused:
        raise GuardError(refused)
    return named


def _listed(provider: Provider, deployment: str, name: str) -> Node:
    for node in provider.nodes(deployment):
        if node.name == name:
            return node
    raise GuardError(f"deployment {deployment} of provider {provider.name} has no node {name}")
