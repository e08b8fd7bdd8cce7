"""Droplets of DigitalOcean, by their SDK over a socket to a fake team."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydo.operations import AccountOperations, DropletActionsOperations, DropletsOperations, TagsOperations

from e2e_ansible.errors import ProviderError, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec, Operation
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.digitalocean.driver import DigitalOceanProvider
from e2e_ansible.suite.load import parse_suite
from tests.clouds.cases import DEPLOYMENT, LABELS, PACE, REPOSITORY, Adapter, CloudCases, World
from tests.clouds.described import Template, template, unlike_template
from tests.clouds.digitalocean import served
from tests.clouds.server import Answer, Call, FakeMachine


def described(call: Call) -> Template:
    """The answer to a call as DigitalOcean's description of its API has it."""
    match (call.method, *call.path.strip("/").split("/")):
        case ("GET", "account"):
            return template(AccountOperations.get, 200)
        case ("GET", "tags"):
            return template(TagsOperations.list, 200)
        case ("POST", "droplets", _, "actions"):
            return template(DropletActionsOperations.post, 201)
        case ("GET", "droplets", _, "actions", _):
            return template(DropletActionsOperations.get, 200)
        case ("GET", "droplets"):
            return template(DropletsOperations.list, 200)
        case ("POST", "droplets"):  # the docstring has no answer; it is a Droplet as it is listed
            droplet = template(DropletsOperations.list, 200).entries["droplets"].items
            return Template("{", entries={"droplet": droplet or Template(""), "links": Template("{")})
    raise AssertionError(f"{call.method} {call.path} is not described")


def unlike_answer(call: Call, body: Any) -> Iterator[str]:
    """How an answer differs from the description."""
    return unlike_template(body, described(call), f"{call.method} {call.path.split('/')[1]}")


class TestDigitalOcean(CloudCases):
    """All cases that every provider is held against, and what is special here."""

    adapter = Adapter(
        provider="digitalocean",
        make=DigitalOceanProvider,
        serve=served,
        environment=lambda fake, _: {"DIGITALOCEAN_ENDPOINT": fake.url, "DIGITALOCEAN_TOKEN": "sesame-7d1f"},
        secret="sesame-7d1f",
        parameters={"zones": ["fra1"]},
        zones=("fra1", "ams3"),
        words={
            Operation.ON: ["power_on"],
            Operation.OFF: ["shutdown"],
            Operation.HARD_OFF: ["power_off"],
            Operation.REBOOT: ["reboot"],
            Operation.RESET: ["power_cycle"],
        },
        quota_is_told=True,
        credential="DIGITALOCEAN_TOKEN",
    )

    def test_answers_of_the_fake_are_as_described(self, world: World) -> None:
        world.create()
        for operation in (Operation.OFF, Operation.ON, Operation.RESET):
            world.provider.power(DEPLOYMENT, "n11", operation, 10)
        world.provider.destroy(DEPLOYMENT)
        answers = world.fake.answers
        assert {next(iter(body)) for _, body in answers} >= {
            "droplets",
            "droplet",
            "action",
            "tags",
            "account",
        }
        assert sorted({line for call, body in answers for line in unlike_answer(call, body)}) == []
        states = {each["status"] for _, body in answers for each in body.get("droplets", ())}
        assert states >= {"new", "active", "off"}

    def test_an_answer_that_is_not_so_is_found(self, world: World) -> None:
        world.create(names=("n11",))
        call, body = next(each for each in world.fake.answers if "droplet" in each[1])
        for change in (
            lambda droplet: droplet.pop("size_slug"),
            lambda droplet: droplet.update(id="101"),
            lambda droplet: droplet.update(state="active"),
            lambda droplet: droplet.update(status="running"),
            lambda droplet: droplet["region"].pop("slug"),
            lambda droplet: droplet.update(tags=None),
        ):
            broken = json.loads(json.dumps(body))
            change(broken["droplet"])
            assert list(unlike_answer(call, broken)), broken

    def test_errors_of_the_fake_are_as_described(self, world: World) -> None:
        wanted = template(DropletActionsOperations.get, 404)
        for reason in ("forbidden", "capacity", "quota"):
            assert list(unlike_template(world.fake.error(0, reason).body, wanted)) == []

    def test_what_is_asked_for(self, world: World) -> None:
        world.create(names=("n11",), network="5a4981aa-9653-4bd1-bef5-d6bff52042e4")
        (made,) = world.fake.fleet
        body = made.settings
        assert (body["size"], body["image"], body["region"]) == ("s-2vcpu-2gb", "debian-12-x64", "fra1")
        assert body["vpc_uuid"] == "5a4981aa-9653-4bd1-bef5-d6bff52042e4"
        assert f"e2e-deployment:{DEPLOYMENT}" in body["tags"]
        assert {f"e2e-label-{label}:yes:{DEPLOYMENT}" for label in LABELS} <= set(body["tags"])
        assert "ssh_keys" not in body
        assert "ssh-ed25519" in body["user_data"]
        node = world.nodes()["n11"]
        assert node.variables["ansible_host"] == made.address
        assert node.variables["e2e_private_address"] == f"10.128.0.{made.id % 250}"
        assert node.variables["ansible_user"] == "e2e"

    def test_tags_go_with_their_deployment_and_no_others(self, world: World, tmp_path: Path) -> None:
        world.create(names=("n11",))
        other = world.elsewhere(tmp_path / "elsewhere")
        nodes = (NodeSpec(name="n11", labels=LABELS),)
        other.prepare(DeploymentSpec(id="other", nodes=nodes, parameters={"zones": ["fra1"]}))
        other.create("other")
        world.provider.destroy(DEPLOYMENT)
        assert all(tag.endswith(":other") for tag in world.fake.left())
        assert {node.labels for node in other.nodes("other")} == {LABELS}
        assert "somebody-elses" in world.fake.tags
        other.destroy("other")
        assert world.fake.tags == ["somebody-elses"]

    def test_tags_that_could_not_all_be_removed_are_found_again(self, world: World) -> None:
        world.create(names=("n11",))
        world.fake.fleet.clear()
        (tags,) = world.provider.cloud.resources()
        world.fake.deletes_fail_after = 3
        with pytest.raises(CloudError):
            world.provider.cloud.remove(tags)
        assert world.provider.cloud.resources(DEPLOYMENT) == [tags]
        world.fake.deletes_fail_after = 100
        world.provider.cloud.remove(tags)
        assert world.fake.left() == []

    def test_tags_that_only_look_like_ours_are_left_alone(self, world: World) -> None:
        world.fake.tags += ["e2e-smoke:case:case", "e2e-deployment:a:b", "e2e-node:n11", "e2e"]
        before = [*world.fake.tags]
        world.create(names=("n11",))
        world.provider.destroy(DEPLOYMENT)
        assert world.fake.tags == before
        assert world.found() == []

    def test_a_droplet_that_was_made_twice_is_removed_twice(self, world: World) -> None:
        world.create(names=("n11",))
        (made,) = world.fake.fleet
        world.fake.enter(FakeMachine(9, made.name, made.zone, made.size, list(made.tags), "active", {}))
        assert len(world.provider.cloud.machines(DEPLOYMENT)) == 2
        assert world.provider.destroy(DEPLOYMENT) is True
        assert (world.fake.machines(), world.fake.left()) == ([], [])

    def test_tags_of_what_is_gone_are_found_and_removed(self, world: World, tmp_path: Path) -> None:
        world.create(names=("n11",))
        world.fake.fleet.clear()
        elsewhere = world.elsewhere(tmp_path / "elsewhere")
        (found,) = elsewhere.deployed()
        assert found.things == (f"tags of {DEPLOYMENT}",)
        assert elsewhere.destroy(DEPLOYMENT) is True
        assert world.fake.left() == []

    @pytest.mark.parametrize(
        ("parameter", "value"),
        [
            ("data_volumes_per_node", 2),
            ("root_volume_size", 20),
            ("subnet", "a"),
            ("security_groups", ["a"]),
            ("public_address", False),
        ],
    )
    def test_parameter_that_cannot_be(self, world: World, parameter: str, value: object) -> None:
        with pytest.raises(UsageError, match=f"{parameter} .* is not possible with provider digitalocean"):
            world.prepare(**{parameter: value})
        assert world.fake.heard == []

    def test_all_pages_are_read(self, world: World) -> None:
        for number in range(401):
            tags = ["e2e-deployment:many", "e2e-node:n11:many"]
            world.fake.enter(FakeMachine(number + 1, f"m{number}", "fra1", "s-2vcpu-2gb", tags, "off", {}))
        assert len(world.provider.cloud.machines("many")) == 401
        assert world.fake.heard == ["GET /droplets"] * 3

    def test_quota_counts_what_others_have(self, world: World) -> None:
        world.fake.allow(4)
        for number in (1, 2):
            world.fake.enter(FakeMachine(number, "theirs", "ams3", "s-2vcpu-2gb", [], "active", {}))
        with pytest.raises(CloudError, match=r"3 machines .*are wanted, and the quota leaves 2"):
            world.create()
        assert world.fake.made() == ["theirs", "theirs"]
        assert world.provider.deployments() == [DEPLOYMENT], "what others have is not ours"

    @pytest.mark.parametrize(
        ("status", "message", "trouble"),
        [
            (429, "API Rate limit exceeded.", Trouble.TRANSIENT),
            (500, "Server Error", Trouble.TRANSIENT),
            (503, "Service Unavailable", Trouble.TRANSIENT),
            (422, "Size is not available in this region.", Trouble.CAPACITY),
            (422, "Region is currently at capacity", Trouble.CAPACITY),
            (422, "creating this/these droplet(s) will exceed your droplet limit", Trouble.QUOTA),
            (422, "Droplet already has a pending event.", Trouble.CONFLICT),
            (422, "Name Only valid hostname characters are allowed.", Trouble.OTHER),
            (401, "Unable to authenticate you", Trouble.FORBIDDEN),
            (403, "You are not authorized to perform this operation", Trouble.FORBIDDEN),
            (404, "The resource you requested could not be found.", Trouble.MISSING),
            (409, "conflict", Trouble.CONFLICT),
            (400, "bad", Trouble.OTHER),
        ],
    )
    def test_errors_are_told_apart_and_nothing_is_repeated(
        self, world: World, status: int, message: str, trouble: Trouble
    ) -> None:
        world.fake.reply(Answer(status, {"id": "kind", "message": message}, {"retry-after": "7"}))
        with pytest.raises(CloudError) as error:
            world.provider.cloud.machines()
        assert str(error.value) == f"digitalocean: {message} ({status})"
        assert error.value.trouble is trouble
        assert error.value.pause_seconds == 7
        assert len(world.fake.heard) == 1

    def test_answer_of_a_proxy(self, world: World) -> None:
        world.fake.reply(Answer(502))
        with pytest.raises(CloudError, match="Bad Gateway") as error:
            world.provider.cloud.machines()
        assert error.value.trouble is Trouble.TRANSIENT
        assert len(world.fake.heard) == 1

    def test_action_that_fails(self, world: World) -> None:
        world.create(names=("n11",))
        world.fake.actions_fail = True
        with pytest.raises(ProviderError, match="power_off of Droplet"):
            world.provider.power(DEPLOYMENT, "n11", Operation.HARD_OFF, 5)

    def test_droplet_that_went_away(self, world: World) -> None:
        """The SDK takes status 404 for an answer like any other."""
        world.create(names=("n11",))
        (machine,) = world.provider.cloud.machines()
        world.fake.fleet.clear()
        with pytest.raises(CloudError, match="is gone") as error:
            world.provider.cloud.power(machine, Operation.OFF)
        assert error.value.trouble is Trouble.MISSING
        world.provider.cloud.delete(machine)

    def test_other_name_of_the_token(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DIGITALOCEAN_TOKEN")
        monkeypatch.setenv("DIGITALOCEAN_ACCESS_TOKEN", self.adapter.secret)
        assert DigitalOceanProvider(world.home, PACE).deployments() == []

    def test_endpoint_that_would_tell_the_token(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        for url in ("http://api.example.com", "ftp://127.0.0.1", "api.example.com"):
            monkeypatch.setenv("DIGITALOCEAN_ENDPOINT", url)
            provider = DigitalOceanProvider(world.home, PACE)
            with pytest.raises(UsageError, match="DIGITALOCEAN_ENDPOINT") as error:
                provider.deployments()
            assert error.value.hint
        assert [finding.ok for finding in provider.doctor()] == [True, False]

    def test_sdk_that_is_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World) -> None:
        monkeypatch.setitem(sys.modules, "pydo", None)
        provider = DigitalOceanProvider(tmp_path / "fresh", PACE)
        (finding,) = provider.doctor()
        assert not finding.ok
        assert "pip install 'e2e-ansible[digitalocean]'" in finding.detail
        with pytest.raises(UsageError) as error:
            provider.deployments()
        assert error.value.hint == "pip install 'e2e-ansible[digitalocean]'"

    def test_between_two_states_power_is_unknown(self, world: World) -> None:
        droplet = template(DropletsOperations.list, 200).entries["droplets"].items
        assert droplet is not None
        known = droplet.entries["status"].known
        for number, state in enumerate(sorted(known)):
            tags = ["e2e-deployment:states", f"e2e-node:n{number}:states"]
            world.fake.enter(FakeMachine(number + 1, state, "fra1", "s-2vcpu-2gb", tags, state, {}))
        told = {machine.state: machine.power for machine in world.provider.cloud.machines("states")}
        states = {"active": PowerState.ON, "off": PowerState.OFF}
        assert told == {state: states.get(state, PowerState.UNKNOWN) for state in known}

    @pytest.mark.parametrize("body", [{}, [], "text", {"droplets": [{"id": 1}]}, {"droplets": None}])
    def test_answer_that_is_no_answer_of_the_api(self, world: World, body: object) -> None:
        world.fake.reply(Answer(200, body))
        with pytest.raises(CloudError, match="an answer that is not the API's") as error:
            world.provider.cloud.machines()
        assert error.value.trouble is Trouble.OTHER

    def test_token_that_is_none(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        for wrong in ("se same", "se\nsame", "s\u00e9same"):
            monkeypatch.setenv("DIGITALOCEAN_TOKEN", wrong)
            with pytest.raises(CloudError, match="holds no token") as error:
                DigitalOceanProvider(world.home, PACE).deployments()
            assert wrong not in str(error.value)
        assert world.fake.heard == []

    def test_example_is_planned_and_stands_in_the_page(self) -> None:
        text = (REPOSITORY / "examples/digitalocean.yaml").read_text()
        assert text.partition("\n")[2] in (REPOSITORY / "docs/providers/digitalocean.md").read_text()
        assert [test.entry.provider for test in parse_suite(text.encode(), "digitalocean.yaml").tests] == [
            "digitalocean"
        ]
