"""Backups, proxy and metrics on real nodes: set up, again, broken and seen to be broken, restored to a moment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from role_nodes import REPOSITORY, Cluster, Played, cluster

from e2e_ansible.checks.base import Outcome, Situation
from e2e_ansible.checks.registry import evaluate
from e2e_ansible.deadline import Deadline
from e2e_ansible.nodes.observation import NodeObservation, Observation

pytestmark = pytest.mark.nodes
PAIR = ("n11", "n12")
CHECKS = ("backup_recent:3600", "backup_healthy", "exporter_up", "proxy_writes")
NOTHING_CHANGED = dict.fromkeys(PAIR, 0)

# In place of Patroni, which says the same: whether PostgreSQL beside it is the primary or a replica.
REST = """
import http.server, subprocess

class Answer(http.server.BaseHTTPRequestHandler):
    def do_OPTIONS(self):
        ask = ["runuser", "-u", "postgres", "--", "psql", "-XqAtc", "select pg_is_in_recovery()", "postgres"]
        said = subprocess.run(ask, capture_output=True, text=True, cwd="/").stdout.strip()
        self.send_response(200 if {"/primary": "f", "/replica": "t"}.get(self.path) == said else 503)
        self.end_headers()

http.server.ThreadingHTTPServer(("", 8008), Answer).serve_forever()
"""

LOOK = """
- hosts: database
  gather_facts: false
  tasks:
    - observe: {services: true}
      become: true
      register: look
    - copy: {content: "{{ look.observation | to_json }}", dest: "FOLDER/{{ inventory_hostname }}.json"}
      delegate_to: localhost
"""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A primary with the proxy, and a replica with the repository."""
    with cluster(PAIR, tmp_path_factory.mktemp("inventory")) as made:
        played(made.play("postgresql", PAIR, postgresql_topology="replication"))
        for name in PAIR:
            made.ssh(
                name, "cat >/run/rest.py && systemd-run --quiet --unit=rest python3 /run/rest.py", text=REST
            )
        yield made


def played(done: Played) -> Played:
    assert done.code == 0, done.output
    return done


def backups(nodes: Cluster, *options: str, **variables: object) -> Played:
    return nodes.play("pgbackrest", PAIR, *options, **variables)


def exporter(nodes: Cluster, *options: str) -> Played:
    return nodes.play("postgres_exporter", PAIR, *options)


def proxy(nodes: Cluster, *options: str, **variables: object) -> Played:
    return nodes.play("haproxy", PAIR, *options, **variables)


@pytest.fixture(scope="module")
def served(nodes: Cluster) -> Cluster:
    """All three services are set up."""
    for role in (backups, exporter, proxy):
        done = played(role(nodes))
        print(f"{role.__name__}: {done.seconds:.1f} s, changed {done.changed}")
    return nodes


def held(nodes: Cluster) -> dict[str, Outcome]:
    """All checks of services, held against one look."""
    playbook = nodes.folder / "look.yml"
    playbook.write_text(LOOK.replace("FOLDER", str(nodes.folder)))
    played(nodes.play(os.path.relpath(playbook.with_suffix(""), REPOSITORY / "playbooks"), PAIR))
    files = [json.loads((nodes.folder / f"{name}.json").read_text()) for name in PAIR]
    seen = Observation(at=0, nodes=tuple(map(NodeObservation.model_validate, files)))
    situation = Situation(seen, dict.fromkeys(PAIR, ("database",)), "replication", "n11")
    return {check: evaluate(check, situation) for check in CHECKS}


def test_what_is_set_up_is_seen_and_stays_as_it_is(served: Cluster) -> None:
    outcomes = held(served)
    assert {check: outcome.passed for check, outcome in outcomes.items()} == dict.fromkeys(CHECKS, True), (
        outcomes
    )
    assert served.variable("n11", "ansible_host") in outcomes["proxy_writes"].message
    for role in (backups, exporter, proxy):
        assert played(role(served)).changed == NOTHING_CHANGED
    assert played(backups(served, "--check")).changed == NOTHING_CHANGED
    # The page with numbers is not for others.
    assert served.ssh("n11", "ss -Hltn 'sport = :7000'").split()[3] == "127.0.0.1:7000"


def test_every_check_is_red_when_its_subject_is_broken(served: Cluster) -> None:
    served.ssh("n11", "systemctl stop prometheus-postgres-exporter haproxy")
    served.ssh("n12", "systemctl stop pgbackrest e2e-backup.timer")
    served.sql("n11", "CREATE TABLE t (i int); INSERT INTO t VALUES (1); SELECT pg_switch_wal()")
    failures = "SELECT count(*) FROM pg_stat_archiver WHERE last_failed_time > last_archived_time"
    assert Deadline(60).wait_for(lambda: served.sql("n11", failures) == "1", 0.5)
    outcomes = held(served)
    assert {check: outcome.passed for check, outcome in outcomes.items()} == dict.fromkeys(CHECKS, False), (
        outcomes
    )
    assert "n11 cannot read the repository" in outcomes["backup_recent:3600"].message
    assert "n11 could not archive 0000000" in outcomes["backup_healthy"].message
    assert "the timer of backups on n12 is inactive" in outcomes["backup_healthy"].message
    assert "n11, port 9187: no answer from the exporter" in outcomes["exporter_up"].message
    assert "n11, port 5000: no write" in outcomes["proxy_writes"].message
    assert "n12" not in outcomes["proxy_writes"].message
    # The role puts right what is broken.
    assert played(backups(served)).changed == {"n11": 0, "n12": 2}
    assert held(served)["backup_healthy"].passed


def test_a_proxy_without_patroni_is_refused(served: Cluster) -> None:
    refused = proxy(served, haproxy_patroni_port=8009, haproxy_ready_timeout=5)
    assert refused.code != 0
    assert "no server takes writes after 5 s; on port 8009 Patroni says: n11 DOWN" in " ".join(
        refused.output.split()
    )


def test_a_backup_brings_back_the_rows_of_a_moment(served: Cluster) -> None:
    served.sql("n11", "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS i")
    moment = served.sql("n11", "SELECT clock_timestamp()")
    served.sql("n11", "DELETE FROM kept WHERE i > 7; SELECT pg_switch_wal()")
    back = {
        "pgbackrest_state": "restored",
        "pgbackrest_restore_type": "time",
        "pgbackrest_restore_target": moment,
    }
    refused = backups(served, "-l", "n11", **back)
    assert refused.code != 0
    assert "PostgreSQL runs on this node; stop postgresql@15-main.service first" in " ".join(
        refused.output.split()
    )
    # Of the data nothing is left: all of it must come out of the repository.
    served.ssh("n11", "systemctl stop postgresql@15-main && rm -rf /var/lib/postgresql/15/main")
    assert played(backups(served, "-l", "n11", **back)).changed == {"n11": 1}
    assert served.sql("n11", "SELECT count(*), max(i), pg_is_in_recovery() FROM kept") == "1000|1000|f"
