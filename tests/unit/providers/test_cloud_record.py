"""The record, its ledger and its secrets: fixed before any call, private, and whole after any crash."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from memory_cloud import MemoryCloud, provider

from e2e_ansible.errors import ProviderError, UsageError
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec
from e2e_ansible.providers.cloud.machine import Order
from e2e_ansible.providers.cloud.record import CloudDeployment, CloudRecord, CloudStore, new_record

SAFE = re.compile(r"[a-z0-9_-]{1,63}")
NODE = NodeSpec(name="n11", labels=("database", "site_a"))


def record(identity: str = "demo", owner: str = "", **parameters: object) -> CloudRecord:
    spec = DeploymentSpec(id=identity, nodes=(NODE,), owner=owner, parameters=parameters)
    return new_record(spec, MemoryCloud(), Path("/home"), 1_000_000)


def order(made: CloudRecord) -> Order:
    return made.order(made.nodes[0], made.places[0], "ssh-ed25519 AAAA demo")


@pytest.fixture
def deployment(tmp_path: Path) -> CloudDeployment:
    """One that is recorded."""
    made, _ = provider(tmp_path)
    made.prepare(DeploymentSpec(id="demo", nodes=(NODE,)))
    return CloudStore("memory", tmp_path).load("demo")


@example(identity="4" + "x" * 62, owner="", user="")
@given(
    identity=st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True),
    owner=st.text(max_size=80),
    user=st.text(max_size=80).filter(lambda text: "\0" not in text),
)
def test_tags_and_names_are_safe_whatever_the_run_and_user_are_called(
    identity: str, owner: str, user: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("USER", user.encode("utf-8", "ignore").decode())
        made = order(record(identity, f"/runs/{owner}"))
    assert all(SAFE.fullmatch(text) for pair in made.tags.items() for text in pair), made.tags
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,62}", made.machine)
    assert made.machine.endswith("-n11")


def test_tags_tell_whose_it_is_and_until_when(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "Ada L.")
    assert order(record(owner="/x/runs/20261121-081500-a1b2c3", expires_hours=2)).tags == {
        "e2e-deployment": "demo",
        "e2e-node": "n11",
        "e2e-owner": "ada-l",
        "e2e-run": "20261121-081500-a1b2c3",
        "e2e-expires": str(1_000_000 + 7200),
        "e2e-label-database": "yes",
        "e2e-label-site_a": "yes",
    }


def test_names_of_two_homes_differ() -> None:
    spec = DeploymentSpec(id="demo", nodes=(NODE,))
    names = {order(new_record(spec, MemoryCloud(), Path(home), 0)).machine for home in ("/a", "/b")}
    assert len(names) == 2


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"expires_hours": "soon"}, "expires_hours must be a number above 0 .* not 'soon'"),
        ({"expires_hours": -1}, "expires_hours"),
        ({"expires_hours": 0}, "expires_hours"),
        ({"expires_hours": float("inf")}, "expires_hours"),
        ({"expires_hours": float("nan")}, "expires_hours"),
        ({"ssh_user": "x\nruncmd: [id]"}, "ssh_user .* is no name of a user"),
        ({"ssh_user": "-o"}, "ssh_user"),
    ],
)
def test_bad_parameters_are_told(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        record(**parameters)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (NodeSpec(name="n11", labels=("Site A",)), "label 'Site A' of n11 cannot be a tag"),
        (NodeSpec(name="n11", labels=("x" * 54,)), "cannot be a tag"),
        (NodeSpec(name="n" * 41), "longer than 40"),
        (NodeSpec(name="N 11"), "is no host name"),
    ],
)
def test_what_cannot_be_a_tag_is_refused(node: NodeSpec, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        new_record(DeploymentSpec(id="demo", nodes=(node,)), MemoryCloud(), Path("/"), 0)


def test_a_provider_without_a_usual_image_must_be_told_one() -> None:
    cloud = MemoryCloud()
    cloud.image = ""
    with pytest.raises(UsageError, match="needs to know the image") as said:
        new_record(DeploymentSpec(id="demo", nodes=(NODE,)), cloud, Path("/"), 0)
    assert "image" in said.value.hint


def test_an_order_is_the_same_each_time() -> None:
    made = record(zones=["a"], instance_type="big")
    assert order(made) == order(CloudRecord.model_validate_json(made.model_dump_json()))


@pytest.mark.parametrize("user", ["admin", "root"])
def test_user_data_lets_one_user_in_with_the_public_key(user: str) -> None:
    text = order(record(ssh_user=user)).user_data
    found = yaml.safe_load(text)
    assert text.startswith("#cloud-config\n")
    assert [(each["name"], each["ssh_authorized_keys"]) for each in found["users"]] == [
        (user, ["ssh-ed25519 AAAA demo"])
    ]
    assert (found["disable_root"], found["ssh_pwauth"]) == (user != "root", False)


def test_secrets_are_private_and_nowhere_else(deployment: CloudDeployment) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in deployment.folder.iterdir()}
    assert stat.S_IMODE(deployment.folder.stat().st_mode) == 0o700
    assert {name: mode for name, mode in modes.items() if mode != 0o600} == {"id_ed25519.pub": 0o644}
    for folder in list(deployment.folder.parents)[:2]:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    secret = deployment.key.read_text().splitlines()[1]
    made = deployment.record.order(NODE, deployment.record.places[0], deployment.public_key)
    deployment.note("creating", made)
    rest = [path.read_text() for path in deployment.folder.iterdir() if path.name != "id_ed25519"]
    assert all(secret not in text for text in [*rest, made.model_dump_json()])
    assert deployment.public_key in made.user_data


def test_the_home_is_made_private(tmp_path: Path) -> None:
    made, _ = provider(tmp_path / "new" / "home")
    old = os.umask(0o000)
    try:
        made.prepare(DeploymentSpec(id="demo", nodes=(NODE,)))
    finally:
        os.umask(old)
    for folder in ("home", "home/clouds", "home/clouds/memory", "home/clouds/memory/demo"):
        assert stat.S_IMODE((tmp_path / "new" / folder).stat().st_mode) == 0o700, folder


def test_prepare_twice_keeps_the_key_and_another_plan_is_refused(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path)
    spec = DeploymentSpec(id="demo", nodes=(NODE,))
    folder = made.prepare(spec)
    key = (folder / "id_ed25519").read_bytes()
    assert made.prepare(spec) == folder
    assert (folder / "id_ed25519").read_bytes() == key
    with pytest.raises(ProviderError, match="has the nodes n11, not n12"):
        made.prepare(DeploymentSpec(id="demo", nodes=(NodeSpec(name="n12"),)))
    assert not cloud.calls


def test_a_torn_line_is_left_out_and_the_next_one_is_whole(deployment: CloudDeployment) -> None:
    made = deployment.record.order(NODE, deployment.record.places[0], "k")
    ledger = deployment.folder / "ledger.jsonl"
    deployment.note("creating", made)
    with ledger.open("ab") as file:
        file.write(b'{"at":1,"act":"ask')
    assert [act.act for act in deployment.ledger()] == ["creating"]
    deployment.note("created", made)
    assert [act.act for act in deployment.ledger()] == ["creating", "created"]


def test_an_error_in_the_ledger_is_one_short_line(deployment: CloudDeployment) -> None:
    made = deployment.record.order(NODE, deployment.record.places[0], "k")
    deployment.note("failed", made, error="x\n" * 10_000)
    (line,) = (deployment.folder / "ledger.jsonl").read_text().splitlines()
    assert len(json.loads(line)["error"]) == 500


def test_unanswered_is_what_was_asked_and_not_heard_of(deployment: CloudDeployment) -> None:
    made = deployment.record.order(NODE, deployment.record.places[0], "k")
    for act, open_ in [("creating", False), ("asked", True), ("failed", True), ("removed", False)]:
        deployment.note(act, made)
        assert bool(deployment.unanswered()) is open_, act
    for answer in ("created", "refused"):
        deployment.note("asked", made)
        deployment.note(answer, made)
        assert not deployment.unanswered()


def test_a_record_that_cannot_be_read_is_told(deployment: CloudDeployment, tmp_path: Path) -> None:
    (deployment.folder / "deployment.json").write_text("{")
    with pytest.raises(ProviderError, match="the record of deployment demo cannot be read"):
        CloudStore("memory", tmp_path).load("demo")


def test_what_a_killed_process_has_begun_is_cleared_by_the_next(tmp_path: Path) -> None:
    made, _ = provider(tmp_path)
    (tmp_path / "clouds/memory/.new-demo").mkdir(parents=True)
    (tmp_path / "clouds/memory/.gone-old").mkdir()
    made.prepare(DeploymentSpec(id="demo", nodes=(NODE,)))
    assert sorted(path.name for path in (tmp_path / "clouds/memory").iterdir()) == ["demo", "lock"]


def test_without_ssh_keygen_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = provider(tmp_path)
    monkeypatch.setattr("e2e_ansible.providers.system.PROGRAMS", str(tmp_path))
    with pytest.raises(ProviderError, match="ssh-keygen is not installed"):
        made.prepare(DeploymentSpec(id="demo", nodes=(NODE,)))
