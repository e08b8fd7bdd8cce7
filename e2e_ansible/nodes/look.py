"""Puts together what is known about one node: its provider's word, the probe's answer, the admin UI."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from e2e_ansible.nodes.link import Answer
from e2e_ansible.nodes.load import load
from e2e_ansible.nodes.observation import AdminUi, NodeObservation, Patroni, Postgres, PowerState
from e2e_ansible.nodes.physical import physical
from e2e_ansible.nodes.probe import PHYSICAL_SECONDS
from e2e_ansible.nodes.services import Services, services
from e2e_ansible.providers.base import Node, Provider

__all__ = ["Powered", "Wanted", "admin_ui", "look", "name_refusal", "node_name", "power_of", "provider_of"]

_ADMIN_UI_SECONDS = 3.0
_DEAD = (PowerState.OFF, PowerState.ABSENT)


class Wanted(BaseModel):
    """Which parts of a node are looked at besides its identity and service manager.

    `exporter` and `backup` are those parts of `services`; with `read_only` PostgreSQL is not written to.
    `amcheck` reads all data of PostgreSQL and may take `amcheck_seconds` for that, beside the time of the rest.
    """

    model_config = ConfigDict(frozen=True)

    postgres: bool = True
    integrity: bool = False
    patroni: bool = False
    services: bool = False
    exporter: bool = False
    backup: bool = False
    load: bool = False
    system: bool = True
    read_only: bool = False
    amcheck: bool = False
    amcheck_seconds: float = Field(PHYSICAL_SECONDS, gt=0)
    admin_ui: bool = False
    admin_ui_port: int = 9090

    @property
    def sections(self) -> tuple[str, ...]:
        """Arguments of the probe."""
        chosen = {
            "system": self.system,
            "postgres": self.postgres,
            "integrity": self.integrity,
            "patroni": self.patroni,
            "services": self.services,
            "exporter": self.exporter,
            "backup": self.backup,
            "load": self.load,
            "read_only": self.read_only,
            "amcheck": self.amcheck,
        }
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


def node_name(variables: Mapping[str, Any], host: str) -> str:
    """What the provider calls the node of a host: its variable `e2e_node`, else its own name."""
    return str(variables.get("e2e_node") or host)


def name_refusal(variables: Mapping[str, Any], host: str) -> str:
    """Why nothing may be done to the node that `e2e_node` names, '' when it is this host's alone.

    A variable can be given to several hosts, as a name cannot: an act on one of them would hit the node of another.
    """
    if not variables.get("e2e_node"):
        return ""
    mine, hostvars = _claim(variables, host), variables.get("hostvars") or {}
    names = (variables.get("groups") or {}).get("all", [])
    others = [
        name for name in names if name != host and name in hostvars and _claim(hostvars[name], name) == mine
    ]
    return f"{', '.join([host, *others])} are all said to be the node {mine[-1]}" if others else ""


def _claim(variables: Mapping[str, Any], host: str) -> tuple[str, str, str]:
    provider, deployment = variables.get("e2e_provider"), variables.get("e2e_deployment")
    return str(provider or ""), str(deployment or ""), node_name(variables, host)


def power_of(variables: Mapping[str, Any], host: str) -> Powered:
    """The power state of a host by its provider. Never raises: a provider that fails knows nothing."""
    try:
        named = provider_of(variables)
        if named is None:
            return Powered(
                state=PowerState.UNKNOWN, reason="no e2e_provider and e2e_deployment for this host"
            )
        provider, deployment = named
        name = node_name(variables, host)
        found = next((node for node in provider.nodes(deployment) if node.name == name), None)
    except Exception as error:  # a look never fails: what a driver could not tell is not known
        return Powered(state=PowerState.UNKNOWN, reason=f"the provider failed: {error}")
    if found is None:
        return Powered(state=PowerState.ABSENT, reason=f"deployment {deployment} has no node {name}")
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
        longer = {"physical": wanted.amcheck_seconds} if wanted.amcheck else {}
        answer = ask(*wanted.sections, **longer)
    beside = services(answer.facts.get("services"), address, variables)
    return _merged(base, powered, answer, page, beside)


def _off_reason(powered: Powered) -> str:
    return powered.reason or "powered off"


def _merged(
    base: Mapping[str, Any],
    powered: Powered,
    answer: Answer,
    page: Future[AdminUi] | None,
    beside: Services | None,
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
        patroni=_patroni(facts.get("patroni")),
        services=beside,
        physical=physical(facts.get("physical")),
        load=load(facts.get("load")),
        admin_ui=page.result() if page else None,
    )


def _postgres(facts: Any) -> Postgres | None:
    if facts is None:
        return None
    try:
        return Postgres.model_validate(facts)
    except ValidationError as error:
        return Postgres(installed=True, error=f"the probe's answer is not understood: {error}")


def _patroni(facts: Any) -> Patroni | None:
    if facts is None:
        return None
    try:
        return Patroni.model_validate(facts)
    except ValidationError as error:
        return Patroni(answers=False, error=f"the probe's answer is not understood: {error}")
