"""`e2e_node` says which node of the provider a host is; nothing is done to a node that two hosts are said to be."""

from __future__ import annotations

from typing import Any

import pytest

from e2e_ansible.errors import GuardError
from e2e_ansible.faults.peers import addresses_off
from e2e_ansible.nodes.link import Answer
from e2e_ansible.nodes.look import Wanted, look, name_refusal, node_name, power_of
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.nodes.power import STATE, operate
from e2e_ansible.providers import registry
from e2e_ansible.providers.base import Node, Operation, PowerResult


class Cloud:
    """A provider with two nodes, of which n12 is off; it notes what it was asked to do."""

    name = "static"

    def __init__(self) -> None:
        self.done: list[tuple[str, Operation]] = []

    def nodes(self, _deployment: str) -> tuple[Node, ...]:
        return (
            Node(name="n11", labels=("database",), power=PowerState.ON, variables={}),
            Node(name="n12", labels=("database",), power=PowerState.OFF, variables={}),
        )

    def power(self, _deployment: str, node: str, operation: Operation, _seconds: float) -> PowerResult:
        self.done.append((node, operation))
        return PowerResult(changed=True, before=PowerState.OFF, after=PowerState.ON, detail="")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    made = Cloud()
    monkeypatch.setattr(registry, "get_provider", lambda _name: made)
    return made


def hosts(**nodes: str) -> dict[str, dict[str, Any]]:
    """Variables of the hosts of an inventory, each with the node it is said to be; '' is none."""
    common = {"e2e_provider": "static", "e2e_deployment": "case"}
    hostvars: dict[str, dict[str, Any]] = {
        host: {**common, **({"e2e_node": node} if node else {})} for host, node in nodes.items()
    }
    groups = {"all": list(nodes)}
    return {host: {**mine, "hostvars": hostvars, "groups": groups} for host, mine in hostvars.items()}


def test_a_host_is_its_own_node_unless_it_says_another() -> None:
    assert node_name({}, "n11") == "n11"
    assert node_name({"e2e_node": ""}, "n11") == "n11"
    assert node_name({"e2e_node": "n11"}, "case-1-n11") == "n11"


def test_the_provider_is_asked_for_the_node(cloud: Cloud) -> None:
    there = hosts(machine="n12", other="n11")
    assert power_of(there["machine"], "machine").state is PowerState.OFF
    assert power_of(there["other"], "other").state is PowerState.ON
    missing = power_of(hosts(machine="n13")["machine"], "machine")
    assert (missing.state, missing.reason) == (PowerState.ABSENT, "deployment case has no node n13")
    seen = look("machine", there["machine"], "10.0.0.1", Wanted(), lambda *_: Answer(reachable=True))
    assert (seen.node, seen.power) == ("machine", PowerState.OFF), "it is called as in the inventory"


def test_power_is_of_the_node(cloud: Cloud) -> None:
    there = hosts(machine="n12", other="n11")
    assert operate(there["machine"], "machine", STATE, 5).after is PowerState.OFF
    operate(there["machine"], "machine", "on", 5)
    assert cloud.done == [("n12", Operation.ON)]
    with pytest.raises(GuardError, match="has no node n13"):
        operate(hosts(machine="n13")["machine"], "machine", "on", 5)


@pytest.mark.parametrize(
    ("nodes", "host"),
    [({"machine": "n12", "other": "n12"}, "machine"), ({"machine": "n12", "n12": ""}, "machine")],
    ids=["by two variables", "by a variable and a name"],
)
def test_a_node_that_two_hosts_are_said_to_be_is_nobodys(
    cloud: Cloud, nodes: dict[str, str], host: str
) -> None:
    there = hosts(**nodes)
    assert "are all said to be the node n12" in name_refusal(there[host], host)
    with pytest.raises(GuardError, match="are all said to be the node n12"):
        operate(there[host], host, "on", 5)
    assert cloud.done == []


def test_another_deployment_has_nodes_of_the_same_names() -> None:
    there = hosts(machine="n12", other="n12")
    there["machine"]["hostvars"]["other"]["e2e_deployment"] = "another"
    assert name_refusal(there["machine"], "machine") == ""
    assert name_refusal(hosts(n11="", n12="")["n11"], "n11") == ""


def test_peers_that_are_off_are_known_by_their_nodes(cloud: Cloud) -> None:
    there = hosts(machine="n11", other="n12")
    there["machine"]["hostvars"]["other"]["ansible_host"] = "10.0.0.12"
    assert addresses_off("machine", there["machine"]) == ["10.0.0.12"]
