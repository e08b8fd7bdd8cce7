"""Servers of Hetzner Cloud, by their SDK over a socket to a fake project."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hcloud.actions import Action
from hcloud.core.domain import Pagination
from hcloud.firewalls import Firewall
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.networks import Network
from hcloud.server_types import ServerType
from hcloud.servers import Server
from hcloud.servers.domain import CreateServerResponse, IPv4Address, IPv6Network, PrivateNet, PublicNetwork

from e2e_ansible.errors import ProviderError, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Operation
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.hetzner.driver import HetznerProvider
from e2e_ansible.suite.load import parse_suite
from tests.clouds.cases import DEPLOYMENT, LABELS, PACE, REPOSITORY, Adapter, CloudCases, World
from tests.clouds.described import unlike_class
from tests.clouds.hetzner import served
from tests.clouds.server import Answer, FakeMachine

STATES = {value for name, value in vars(Server).items() if name.startswith("STATUS_")}
ACTION_STATES = {value for name, value in vars(Action).items() if name.startswith("STATUS_")}
LATER_CLASSES = {"primary_ipv4", "primary_ipv6"}  # objects that the SDK fetches by itself


def unlike_answer(body: Mapping[str, Any]) -> Iterator[str]:
    """How an answer differs from the classes of the SDK."""
    kinds = {
        "server": unlike_server,
        "action": unlike_action,
        "network": lambda each: unlike_class(each, Network, partly=True),
        "firewall": lambda each: unlike_class(each, Firewall, partly=True),
    }
    for name, content in body.items():
        if name == "meta":
            yield from unlike_class(content["pagination"], Pagination)
        elif name.removesuffix("s").removeprefix("next_") in kinds:
            for each in content if isinstance(content, list) else [content]:
                yield from kinds[name.removesuffix("s").removeprefix("next_")](each)
        elif name not in CreateServerResponse.__api_properties__:
            yield f"an answer has no {name}"


def unlike_server(server: Mapping[str, Any]) -> Iterator[str]:
    yield from unlike_class(server, Server)
    yield from unlike_class(server["location"], Location)
    yield from unlike_class(server["image"], Image)
    yield from unlike_class(server["server_type"], ServerType, partly=True)
    public = {key: value for key, value in server["public_net"].items() if key not in LATER_CLASSES}
    yield from unlike_class({**public, "firewalls": []}, PublicNetwork, partly=True)
    if public["ipv4"]:
        yield from unlike_class(
            {key: public["ipv4"][key] for key in public["ipv4"] if key != "id"}, IPv4Address
        )
    if public["ipv6"]:
        yield from unlike_class(
            {key: public["ipv6"][key] for key in public["ipv6"] if key != "id"}, IPv6Network, True
        )
    for each in server["private_net"]:
        if not isinstance(each["network"], int):
            yield f"{each['network']!r} is no id, from which the SDK makes an object"
        yield from unlike_class({**each, "network": {}}, PrivateNet)
    if server["status"] not in STATES:
        yield f"{server['status']} is no status of a server"


def unlike_action(action: Mapping[str, Any]) -> Iterator[str]:
    yield from unlike_class(action, Action)
    if action["status"] not in ACTION_STATES:
        yield f"{action['status']} is no status of an action"


class TestHetzner(CloudCases):
    """All cases that every provider is held against, and what is special here."""

    adapter = Adapter(
        provider="hetzner",
        make=HetznerProvider,
        serve=served,
        environment=lambda fake, _: {"HCLOUD_ENDPOINT": fake.url, "HCLOUD_TOKEN": "sesame-7d1f"},
        secret="sesame-7d1f",
        parameters={"zones": ["fsn1"]},
        zones=("fsn1", "nbg1"),
        words={
            Operation.ON: ["poweron"],
            Operation.OFF: ["shutdown"],
            Operation.HARD_OFF: ["poweroff"],
            Operation.REBOOT: ["reboot"],
            Operation.RESET: ["reset"],
        },
        quota_is_told=False,
        credential="HCLOUD_TOKEN",
    )

    def test_answers_of_the_fake_are_those_of_the_sdk(self, world: World) -> None:
        world.create(network="inner", security_groups=["ssh-only"])
        for operation in (Operation.OFF, Operation.ON, Operation.RESET):
            world.provider.power(DEPLOYMENT, "n11", operation, 10)
        world.provider.destroy(DEPLOYMENT)
        answers = [body for _, body in world.fake.answers]
        seen = {"servers", "server", "action", "next_actions", "networks", "firewalls", "meta"}
        assert {name for body in answers for name in body} >= seen
        assert sorted({line for body in answers for line in unlike_answer(body)}) == []
        states = {each["status"] for body in answers for each in body.get("servers", ())}
        assert states >= {"initializing", "starting", "running", "off", "deleting"}

    def test_an_answer_that_is_not_so_is_found(self, world: World) -> None:
        world.create(names=("n11",))
        body = next(body for call, body in world.fake.answers if "server" in body)
        for change in (
            lambda server: server.pop("labels"),
            lambda server: server.update(id="101"),
            lambda server: server.update(state="running"),
            lambda server: server.update(status="active"),
            lambda server: server["location"].pop("name"),
        ):
            broken = json.loads(json.dumps(body))
            change(broken["server"])
            assert list(unlike_answer(broken)), broken

    def test_what_is_asked_for(self, world: World) -> None:
        world.create(names=("n11",), network="inner", security_groups=["ssh-only", "8"], public_address=False)
        (made,) = world.fake.fleet
        body = made.settings
        assert body["networks"] == [7]
        assert body["firewalls"] == [{"firewall": 8}, {"firewall": 8}]
        assert body["public_net"] == {"enable_ipv4": False, "enable_ipv6": False}
        assert body["labels"]["e2e-deployment"] == DEPLOYMENT
        assert [body["labels"][f"e2e-label-{label}"] for label in LABELS] == ["yes", "yes"]
        assert (body["server_type"], body["image"], body["location"]) == ("cx23", "debian-12", "fsn1")
        assert "ssh_keys" not in body
        assert "ssh-ed25519" in body["user_data"]
        node = world.nodes()["n11"]
        assert node.variables["ansible_host"] == f"10.0.0.{made.id % 250}"
        assert node.variables["ansible_user"] == "e2e"

    def test_network_that_is_not_there(self, world: World) -> None:
        with pytest.raises(CloudError, match="no network 'outer'"):
            world.create(names=("n11",), network="outer")
        assert world.fake.made() == []

    @pytest.mark.parametrize(
        ("parameter", "value"), [("data_volumes_per_node", 2), ("root_volume_size", 20), ("subnet", "a")]
    )
    def test_parameter_that_cannot_be(self, world: World, parameter: str, value: object) -> None:
        with pytest.raises(UsageError, match=f"{parameter} .* is not possible with provider hetzner"):
            world.prepare(**{parameter: value})
        assert world.fake.heard == []

    def test_all_pages_are_read(self, world: World) -> None:
        labels = {"e2e-deployment": "many", "e2e-node": "n11"}
        for number in range(120):
            machine = FakeMachine(number + 1, f"m{number}", "fsn1", "cx23", labels, "off", {})
            world.fake.enter(machine)
        assert len(world.provider.cloud.machines("many")) == 120
        assert world.fake.heard == ["GET /servers"] * 3

    @pytest.mark.parametrize(
        ("status", "code", "trouble"),
        [
            (429, "rate_limit_exceeded", Trouble.TRANSIENT),
            (500, "server_error", Trouble.TRANSIENT),
            (503, "unavailable", Trouble.TRANSIENT),
            (504, "timeout", Trouble.TRANSIENT),
            (412, "resource_unavailable", Trouble.CAPACITY),
            (409, "placement_error", Trouble.CAPACITY),
            (403, "resource_limit_exceeded", Trouble.QUOTA),
            (401, "unauthorized", Trouble.FORBIDDEN),
            (403, "forbidden", Trouble.FORBIDDEN),
            (403, "token_readonly", Trouble.FORBIDDEN),
            (404, "not_found", Trouble.MISSING),
            (409, "conflict", Trouble.CONFLICT),
            (423, "locked", Trouble.CONFLICT),
            (422, "invalid_input", Trouble.OTHER),
        ],
    )
    def test_errors_are_told_apart_and_nothing_is_repeated(
        self, world: World, status: int, code: str, trouble: Trouble
    ) -> None:
        world.fake.reply(Answer(status, {"error": {"code": code, "message": "no", "details": None}}))
        with pytest.raises(CloudError, match=f"no \\({code}\\)") as error:
            world.provider.cloud.machines()
        assert error.value.trouble is trouble
        assert len(world.fake.heard) == 1

    @pytest.mark.parametrize(("status", "trouble"), [(502, Trouble.TRANSIENT), (418, Trouble.OTHER)])
    def test_answer_of_a_proxy(self, world: World, status: int, trouble: Trouble) -> None:
        world.fake.reply(Answer(status))
        with pytest.raises(CloudError) as error:
            world.provider.cloud.machines()
        assert error.value.trouble is trouble
        assert len(world.fake.heard) == 1

    def test_end_of_a_server_is_asked_for_once(self, world: World) -> None:
        world.create(names=("n11",))
        world.provider.destroy(DEPLOYMENT)
        assert len([call for call in world.fake.heard if call.startswith("DELETE")]) == 1

    def test_action_that_fails(self, world: World) -> None:
        world.create(names=("n11",))
        world.fake.actions_fail = True
        with pytest.raises(ProviderError, match="poweroff_server failed: the host is broken"):
            world.provider.power(DEPLOYMENT, "n11", Operation.HARD_OFF, 5)

    def test_endpoint_that_would_tell_the_token(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        for url in ("http://api.example.com/v1", "ftp://127.0.0.1", "api.example.com"):
            monkeypatch.setenv("HCLOUD_ENDPOINT", url)
            provider = HetznerProvider(world.home, PACE)
            with pytest.raises(UsageError, match="HCLOUD_ENDPOINT") as error:
                provider.deployments()
            assert error.value.hint
        assert [finding.ok for finding in provider.doctor()] == [True, False]

    def test_sdk_that_is_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World) -> None:
        monkeypatch.setitem(sys.modules, "hcloud", None)
        provider = HetznerProvider(tmp_path / "fresh", PACE)
        (finding,) = provider.doctor()
        assert not finding.ok
        assert "pip install 'e2e-ansible[hetzner]'" in finding.detail
        with pytest.raises(UsageError) as error:
            provider.deployments()
        assert error.value.hint == "pip install 'e2e-ansible[hetzner]'"

    def test_between_two_states_power_is_unknown(self, world: World) -> None:
        states = {"running": PowerState.ON, "off": PowerState.OFF}
        for number, state in enumerate(sorted(STATES)):
            labels = {"e2e-deployment": "states", "e2e-node": f"n{number}"}
            world.fake.enter(FakeMachine(number + 1, state, "fsn1", "cx23", labels, state, {}))
        told = {machine.state: machine.power for machine in world.provider.cloud.machines("states")}
        assert told == {state: states.get(state, PowerState.UNKNOWN) for state in STATES}

    @pytest.mark.parametrize("body", [{}, [], "text", {"servers": [{"id": 1}]}, {"servers": None}])
    def test_answer_that_is_no_answer_of_the_api(self, world: World, body: object) -> None:
        world.fake.reply(Answer(200, body))
        with pytest.raises(CloudError, match="an answer that is not the API's") as error:
            world.provider.cloud.machines()
        assert error.value.trouble is Trouble.OTHER

    def test_token_that_is_none(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        for wrong in ("se same", "se\nsame", "s\u00e9same"):
            monkeypatch.setenv("HCLOUD_TOKEN", wrong)
            with pytest.raises(CloudError, match="holds no token") as error:
                HetznerProvider(world.home, PACE).deployments()
            assert wrong not in str(error.value)
        assert world.fake.heard == []

    def test_example_is_planned_and_stands_in_the_page(self) -> None:
        text = (REPOSITORY / "examples/hetzner.yaml").read_text()
        assert text.partition("\n")[2] in (REPOSITORY / "docs/providers/hetzner.md").read_text()
        assert [test.entry.provider for test in parse_suite(text.encode(), "hetzner.yaml").tests] == [
            "hetzner"
        ]
