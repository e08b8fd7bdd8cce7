"""Brings a deployment to `prepared`, `present` or `absent` by its provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from e2e_ansible.errors import UsageError
from e2e_ansible.nodes.freshness import touch
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import DeploymentSpec, Node, NodeSpec, Provider

__all__ = ["Request", "provision"]


class Request(BaseModel):
    """What a task of `provision` asks for."""

    model_config = ConfigDict(frozen=True)

    state: str
    provider: str
    deployment: str
    nodes: tuple[NodeSpec, ...] = ()
    parameters: dict[str, Any] = {}
    owner: str = ""


def provision(request: Request, *, check_mode: bool = False) -> dict[str, Any]:
    """`changed` and the public part of `nodes`; host variables stay out, because they may hold secrets.

    Raises:
        UsageError: nodes are missing for a deployment that is not prepared, or the provider is not known.
        ProviderError, CleanUpError: from the provider.
    """
    try:
        return _provision(request, check_mode=check_mode)
    finally:
        if not check_mode:
            touch(request.provider, request.deployment)


def _provision(request: Request, *, check_mode: bool) -> dict[str, Any]:
    from e2e_ansible.providers.registry import get_provider

    provider = get_provider(request.provider)
    known = request.deployment in provider.deployments()
    if request.state == "absent":
        changed = known if check_mode else provider.destroy(request.deployment)
        return {"changed": changed, "nodes": []}
    if not known and not request.nodes:
        raise UsageError(f"deployment {request.deployment} is not prepared, so its nodes must be given")
    changed = _changed(provider, request, known) if check_mode else _apply(provider, request, known)
    nodes = provider.nodes(request.deployment) if known or not check_mode else ()
    return {"changed": changed, "nodes": _public(nodes)}


def _apply(provider: Provider, request: Request, known: bool) -> bool:
    if request.nodes:
        provider.prepare(
            DeploymentSpec(
                id=request.deployment, nodes=request.nodes, parameters=request.parameters, owner=request.owner
            )
        )
    created = request.state == "present" and provider.create(request.deployment)
    return created or not known


def _changed(provider: Provider, request: Request, known: bool) -> bool:
    if request.state == "prepared" or not known:
        return not known
    return any(node.power is not PowerState.ON for node in provider.nodes(request.deployment))


def _public(nodes: Sequence[Node]) -> list[dict[str, Any]]:
    fields = {"name", "labels", "power", "address"}
    return [node.model_dump(mode="json", include=fields) for node in nodes]
