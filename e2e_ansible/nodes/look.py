"""Puts together what is known about one node: its provider's word, the probe's answer, the admin UI."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from e2e_ansible.nodes.link import Answer
from e2e_ansible.nodes.observation import AdminUi, NodeObservation, Postgres, PowerState
from e2e_ansible.providers.base import Node, Provider

__all__ = ["Powered", "Wanted", "admin_ui", "look", "power_of", "provider_of"]

_ADMIN_UI_SECONDS = 3.0
_DEAD = (PowerState.OFF, PowerState.ABSENT)


class Wanted(BaseModel):
    """Which parts of a node are looked at besides its identity and service manager."""

    model_config = ConfigDict(frozen=True)

    postgres: bool = True
    integrity: bool = False
    admin_ui: bool = False
    admin_ui_port: int = 9090

    @property
    def sections(self) -> tuple[str, ...]:
        """Arguments of the probe."""
        chosen = {"system": True, "postgres": self.postgres, "integrity": self.integrity}
        return tuple(name for name, wanted in chosen.items() if wanted)


class Powered(BaseModel):
    """What the provider says about a node; `reason` tells why it says nothing."""

    model_config = ConfigDict(frozen=True)

    state: PowerState
    reason: str = ""
    node: Node | None = None


def provider_of(variables: Mapping[str, Any]) -> tuple[Provider, str] | None:
    """The provider and deployment that the host variables name; None when they name none.

    Raises:
        E2EError: there is no such provider.
    """
    name, deployment = variables.get("e2e_provider"), variables.get("e2e_deployment")
    if not name or not deployment:
        return None
    from e2e_ansible.providers.registry import get_provider

    return get_provider(str(name)), str(deployment)


def power_of(variables: Mapping[str, Any], host: str) -> Powered:
    """The power state of a host by its provider. Never raises: a provider that fails knows nothing."""
    try:
        named = provider_of(variables)
        if named is None:
            return Powered(
                state=PowerState.UNKNOWN, reason="no e2e_provider and e2e_deployment for this host"
            )
        provider, deployment = named
        found = next((node for node in provider.nodes(deployment) if node.name == host), None)
    except Exception as error:  # a look never fails: what a driver could not tell is not known
        return Powered(state=PowerState.UNKNOWN, reason=f"the provider failed: {error}")
    if found is None:
        return Powered(state=PowerState.ABSENT, reason=f"deployment {deployment} has no node {host}")
    return Powered(state=found.power, node=found)


def admin_ui(address: str, port: int) -> AdminUi:
    """One GET from here. Any certificate is accepted: whether something answers is asked, not who."""
    host = f"[{address}]" if ":" in address else address
    url = f"https://{host}:{port}/"
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address, port, timeout=_ADMIN_UI_SECONDS, context=context)
    try:
        connection.request("GET", "/", headers={"User-Agent": "e2e-ansible"})
        return AdminUi(url=url, status=connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return AdminUi(url=url, status=0, error=str(error) or type(error).__name__)
    finally:
        connection.close()


def look(
    host: str, variables: Mapping[str, Any], address: str, wanted: Wanted, ask: Callable[..., Answer]
) -> NodeObservation:
    """One observation of `host`. `ask` is `Link.probe`; it is not called for a node that is off."""
    powered = power_of(variables, host)
    labels = powered.node.labels if powered.node else tuple(variables.get("e2e_labels") or ())
    base: dict[str, Any] = {"node": host, "power": powered.state, "labels": labels}
    if powered.state in _DEAD:
        ui = AdminUi(url="", status=0, error="not asked: the node is off") if wanted.admin_ui else None
        return NodeObservation(**base, reachable=False, reason=_off_reason(powered), admin_ui=ui)
    with ThreadPoolExecutor(max_workers=1) as pool:
        page = pool.submit(admin_ui, address, wanted.admin_ui_port) if wanted.admin_ui else None
        answer = ask(*wanted.sections)
    return _merged(base, powered, answer, page)


def _off_reason(powered: Powered) -> str:
    return powered.reason or "powered off"


def _merged(
    base: Mapping[str, Any], powered: Powered, answer: Answer, page: Future[AdminUi] | None
) -> NodeObservation:
    facts = answer.facts
    reasons = [answer.reason, powered.reason if powered.state is PowerState.UNKNOWN else ""]
    return NodeObservation(
        **base,
        reachable=answer.reachable,
        unreachable=answer.unreachable,
        reason="; ".join(reason for reason in reasons if reason),
        identity=answer.identity,
        system_state=str(facts.get("system_state") or ""),
        failed_units=tuple(facts.get("failed_units") or ()),
        postgres=_postgres(facts.get("postgres")),
        admin_ui=page.result() if page else None,
    )


def _postgres(facts: Any) -> Postgres | None:
    if facts is None:
        return None
    try:
        return Postgres.model_validate(facts)
    except ValidationError as error:
        return Postgres(installed=True, error=f"the probe's answer is not understood: {error}")
