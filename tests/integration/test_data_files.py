"""amcheck and checksums on a primary and a replica: sound, then blocks that are really corrupted on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from role_nodes import REPOSITORY, Cluster, cluster

from e2e_ansible.checks.base import Outcome, Situation
from e2e_ansible.checks.registry import evaluate
from e2e_ansible.deadline import Deadline
from e2e_ansible.nodes.link import command, parse
from e2e_ansible.nodes.observation import NodeObservation, Observation, PowerState
from e2e_ansible.nodes.physical import physical
from e2e_ansible.nodes.program import program

pytestmark = pytest.mark.nodes
PAIR = ("n11", "n12")
SERVER = "postgresql@15-main"
BIN = "/usr/lib/postgresql/15/bin"
CHECKS = ("amcheck", "data_checksums")
DATA = "/var/lib/postgresql/15/main"

LOOK = """
- hosts: database
  gather_facts: false
  tasks:
    - observe: {amcheck: true}
      become: true
      register: look
    - copy: {content: "{{ look.observation | to_json }}", dest: "FOLDER/{{ inventory_hostname }}.json"}
      delegate_to: localhost
"""
FLIP = """
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]) * 8192 + 5000)
    bits = file.read(8)
    file.seek(-8, 1)
    file.write(bytes(255 - bit for bit in bits))
"""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A primary and its replica, with a table of some blocks that both have on disk."""
    with cluster(PAIR, tmp_path_factory.mktemp("inventory")) as made:
        played = made.play("postgresql", PAIR, postgresql_topology="replication")
        assert played.code == 0, played.output
        made.sql(
            "n11",
            "CREATE TABLE e2e.kept AS SELECT id, repeat(md5(id::text), 9) FROM generate_series(1, 2000) id",
        )
        made.sql("n11", "ALTER TABLE e2e.kept ADD PRIMARY KEY (id); CHECKPOINT")
        yield made


def situation(found: dict[str, NodeObservation]) -> Situation:
    observation = Observation(at=0, nodes=tuple(found.values()))
    return Situation(observation, dict.fromkeys(PAIR, ("database",)), "replication", "n11")


def look(nodes: Cluster, node: str) -> dict[str, Outcome]:
    """What both checks say of a node, with the probe as it is sent there."""
    sent = command("python3", program(), ["postgres", "amcheck"], sent=True)
    facts = parse(nodes.ssh(node, sent, text=program().decode())) or {}
    seen = NodeObservation(
        node=node, power=PowerState.ON, reachable=True, physical=physical(facts["physical"])
    )
    return {check: evaluate(f"{check}:{node}", situation({node: seen})) for check in CHECKS}


def flip(nodes: Cluster, node: str, relation: str, block: int) -> None:
    """Turn some bits in one block on the disk, twice is as before; the server is started with empty caches."""
    path = nodes.sql("n11", f"SELECT pg_relation_filepath('{relation}')")
    nodes.ssh(node, f"systemctl stop {SERVER} && python3 - {DATA}/{path} {block}", text=FLIP)
    nodes.ssh(node, f"systemctl start {SERVER}")


def answers(nodes: Cluster, node: str) -> None:
    """Wait until the server accepts connections and, on the replica, has all that the primary has."""
    ready = "SELECT NOT pg_is_in_recovery() OR EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')"
    ask = f'cd / && runuser -u postgres -- psql -XAtqc "{ready}"'
    assert Deadline(60).wait_for(lambda: nodes.try_ssh(node, ask).stdout == "t\n", 0.2)


def test_sound_nodes_are_green(nodes: Cluster) -> None:
    playbook = nodes.folder / "look.yml"
    playbook.write_text(LOOK.replace("FOLDER", str(nodes.folder)))
    done = nodes.play(os.path.relpath(playbook.with_suffix(""), REPOSITORY / "playbooks"), PAIR)
    assert done.code == 0, done.output
    files = [(nodes.folder / f"{name}.json").read_text() for name in PAIR]
    found = {name: NodeObservation.model_validate_json(file) for name, file in zip(PAIR, files, strict=True)}
    for check in CHECKS:
        outcome = evaluate(check, situation(found))
        print(f"{check}: {outcome.message}")
        assert outcome.passed is True, outcome.message
    assert nodes.sql("n12", "SELECT extname FROM pg_extension WHERE extname = 'amcheck'") == "amcheck"


@pytest.mark.parametrize(
    ("node", "relation", "name", "block"),
    [("n11", "e2e.kept", "e2e.kept", 3), ("n12", "e2e.kept_pkey", "e2e.kept_pkey", 2)],
    ids=["table of the primary", "index of the replica"],
)
def test_a_corrupted_block_is_found_where_it_is(
    nodes: Cluster, node: str, relation: str, name: str, block: int
) -> None:
    flip(nodes, node, relation, block)
    answers(nodes, node)
    try:
        outcomes = look(nodes, node)
    finally:
        flip(nodes, node, relation, block)
        answers(nodes, node)
    for check in CHECKS:
        print(f"{check}: {outcomes[check].message}")
        assert outcomes[check].passed is False
        assert f"{node}: database postgres, {name}, block {block}: " in outcomes[check].message
    nodes.sql(node, "SELECT pg_stat_reset()")
    assert {check: outcome.passed for check, outcome in look(nodes, node).items()} == dict.fromkeys(
        CHECKS, True
    )


def test_checksums_that_are_off_are_red(nodes: Cluster) -> None:
    nodes.ssh(
        "n12",
        f"cd / && systemctl stop {SERVER} && runuser -u postgres -- {BIN}/pg_checksums --disable -D {DATA}",
    )
    nodes.ssh("n12", f"systemctl start {SERVER}")
    answers(nodes, "n12")
    outcomes = look(nodes, "n12")
    assert outcomes["amcheck"].passed
    assert outcomes["data_checksums"].passed is False
    assert "n12 has data checksums off" in outcomes["data_checksums"].message
