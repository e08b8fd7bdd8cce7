"""Each check against real clusters: red where its subject is broken, green where it is not.

One cluster is deployed. Each situation breaks one thing of it, the play of a `validate` step looks once, and the judge
holds every check against that look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from real_runs import destroy_runs, one_test, run_steps, write_suite
from role_nodes import REPOSITORY, Cluster

from e2e_ansible import api
from e2e_ansible.checks.registry import checks, isolated
from e2e_ansible.compile.plan import Plan
from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.event import Event
from e2e_ansible.engine.processes import end_all
from e2e_ansible.engine.protocol import Cancel, Outcome, PlayRequest
from e2e_ansible.engine.runner import RunnerEngine
from e2e_ansible.judge.entry import AttemptEnded
from e2e_ansible.judge.record import AttemptRecord, StepRecord
from e2e_ansible.judge.result import StepResult
from e2e_ansible.judge.step import judge_step
from e2e_ansible.providers.base import Operation
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.registry import get_provider

pytestmark = pytest.mark.nodes

ALL = ("cluster_status", "ssh_connectivity", "admin_ui_accessible", "data_integrity")
UNIT = "postgresql@15-main"
CONFIGURATION = "/var/lib/postgresql/15/main/postgresql.auto.conf"


Situation = Callable[[Cluster], AbstractContextManager[None]]
Look = tuple[Outcome, list[Event]]


@dataclass
class Eyes:
    """Looks at a cluster with the play of a `validate` step, once in each situation, and judges what was seen."""

    cluster: Cluster
    folder: Path
    looks: dict[str, Look] = field(default_factory=dict)

    def plan(self, *checks: str) -> Plan:
        """A test of one `validate` step."""
        step = {"step": "validate", "checks": checks}
        suite = write_suite(self.folder / "suite.json", look=one_test([step], size=3, admin_ui=True))
        (plan,) = api.plan(api.load(suite))
        return plan

    def look(self, situation: Situation) -> Look:
        """Bring about the situation, look, and end it; over connections that no other look has used."""
        name = situation.__name__
        if name not in self.looks:
            with situation(self.cluster):
                self.looks[name] = self.seen(name, *ALL)
                end_all(self._token(name))
            assert Deadline(20).wait_for(self._whole, 0.2), f"the cluster is not whole again after {name}"
        return self.looks[name]

    def looks_on(self, situation: Situation, check: str) -> tuple[Look, Look]:
        """A look before and one in the situation, the second over the connections that the first has left open."""
        name = f"{situation.__name__}-{check}"
        try:
            before = self.seen(name, check)
            with situation(self.cluster):
                return before, self.seen(f"{name}/again", check)
        finally:
            end_all(self._token(name))

    def _token(self, name: str) -> str:
        return f"{self.cluster.deployment}/{name}"

    def seen(self, name: str, *checks: str) -> Look:
        """The play of a step with these checks; its connections stay."""
        plan, place = self.plan(*checks), self.folder / name.replace("/", "-")
        api.write(plan, place)
        events: list[Event] = []
        request = PlayRequest(
            project=place,
            playbook=plan.steps[0].playbook,
            inventory="inventory/nodes.e2e.yml",
            artifacts=place,
            deadline_seconds=60,
            token=self._token(name),
            environment={"E2E_DEPLOYMENT": self.cluster.deployment, "ANSIBLE_HOME": str(self.folder)},
        )
        outcome = RunnerEngine().run(request, events.append, Cancel())
        assert outcome.rc == 0, (place / "ansible.log").read_text()
        return outcome, events

    def _whole(self) -> bool:
        streaming = "select count(*) from pg_stat_replication where state = 'streaming'"
        done = self.cluster.try_ssh("n11", f'cd / && runuser -u postgres -- psql -Atc "{streaming}"')
        return done.stdout.strip() == "2"

    def judge(self, check: str, look: Look) -> StepResult:
        """The result of a step with this one check that saw this."""
        plan = self.plan(check)
        step = plan.steps[0]
        ended = AttemptEnded(at=1, step=step.id, attempt=1, outcome=look[0])
        attempt = AttemptRecord(number=1, started=0, ended=ended)
        record = StepRecord(step=step.id, started=0, ended=1, attempts=[attempt])
        return judge_step(plan, step, record, {(step.id, 1): look[1]})


@pytest.fixture(scope="module")
def eyes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Eyes]:
    folder = tmp_path_factory.mktemp("checks")
    suite = write_suite(folder / "suite.json", kept=one_test([{"step": "deploy"}], size=3, admin_ui=True))
    try:
        result = api.run(api.plan(api.load(suite)), keep="always", runs=folder / "runs")
        assert result.exit_code == 0, result.tests[0].error
        yield Eyes(Cluster(get_provider("local"), result.tests[0].deployment_id, folder), folder)
    finally:
        destroy_runs(folder / "runs", default_home())


# ---- what is broken, and repaired again


@contextmanager
def healthy(cluster: Cluster) -> Iterator[None]:
    """Nothing is."""
    yield


@contextmanager
def primary_stopped(cluster: Cluster) -> Iterator[None]:
    """PostgreSQL on the primary is."""
    cluster.ssh("n11", f"systemctl stop {UNIT}")
    yield
    cluster.ssh("n11", f"systemctl start {UNIT}")


@contextmanager
def replica_cut_off(cluster: Cluster) -> Iterator[None]:
    """A replica runs and receives nothing."""
    cluster.ssh("n12", f"cp -p {CONFIGURATION} /root; sed -i /^primary_conninfo/d {CONFIGURATION}")
    cluster.sql("n12", "select pg_reload_conf()")
    assert Deadline(10).wait_for(
        lambda: cluster.sql("n12", "select count(*) from pg_stat_wal_receiver") == "0"
    )
    yield
    cluster.ssh("n12", f"cp -p /root/postgresql.auto.conf {CONFIGURATION}")
    cluster.sql("n12", "select pg_reload_conf()")


@contextmanager
def node_off(cluster: Cluster) -> Iterator[None]:
    """A replica is off."""
    cluster.power("n13", Operation.HARD_OFF)
    yield
    cluster.power("n13", Operation.ON)


@contextmanager
def sshd_stopped(cluster: Cluster) -> Iterator[None]:
    """A node is on and refuses ssh; that is repaired from its own namespaces."""
    cluster.ssh("n12", "systemctl stop ssh")
    yield
    cluster.inside("n12", "systemctl", "start", "ssh")


@contextmanager
def login_impossible(cluster: Cluster) -> Iterator[None]:
    """A node greets and lets nobody in."""
    cluster.inside("n12", "mv", "/root/.ssh", "/root/.ssh-away")
    yield
    cluster.inside("n12", "mv", "/root/.ssh-away", "/root/.ssh")


@contextmanager
def cockpit_stopped(cluster: Cluster) -> Iterator[None]:
    """Nobody listens on the port of the admin UI of a node."""
    cluster.ssh("n12", "systemctl stop cockpit.socket cockpit.service")
    yield
    cluster.ssh("n12", "systemctl start cockpit.socket")


@contextmanager
def all_off(cluster: Cluster) -> Iterator[None]:
    """Every node is off."""
    for name in ("n11", "n12", "n13"):
        cluster.power(name, Operation.HARD_OFF)
    yield
    for name in ("n11", "n12", "n13"):
        cluster.power(name, Operation.ON)


GREEN = ("pass", None)
RED = ("fail", "product")
UNKNOWN = ("unknown", "infrastructure")
SITUATIONS = {
    healthy: [
        ("cluster_status", GREEN, "n11 takes writes"),
        ("all_nodes_running", GREEN, "n11, n12, n13 run"),
        ("ssh_connectivity", GREEN, "n11, n12, n13"),
        ("node_status:n12", GREEN, "n12"),
        ("database_running", GREEN, "n11, n12, n13"),
        ("admin_ui_accessible", GREEN, "n11, n12, n13"),
        ("cluster_status_stopped", RED, "n11 (power on, ssh answers, system running) answers over ssh"),
        ("vms_powered_off", RED, "n11 is on"),
        ("database_down", RED, "accepts connections on n11, n12, n13"),
        ("cluster_degraded", RED, "nothing is missing on n11, n12, n13"),
        ("cluster_critical", RED, "n11 takes writes"),
        ("database_degraded", RED, "nothing is missing on n11, n12, n13"),
        ("node_status:n12:stopped", RED, "n12"),
        ("node_status:n12:unreachable", RED, "n12"),
        ("data_integrity", UNKNOWN, "no row was acknowledged"),
    ],
    primary_stopped: [
        ("cluster_status", RED, "PostgreSQL on n11 does not accept connections"),
        ("database_running", RED, "PostgreSQL on n11 does not accept connections"),
        ("cluster_degraded", RED, "no node takes writes"),
        ("database_degraded", RED, "no node takes writes"),
        ("cluster_critical", GREEN, "no node takes writes: n11"),
        ("all_nodes_running", GREEN, "n11"),
        ("database_down", RED, "accepts connections on n12, n13"),
    ],
    replica_cut_off: [
        ("cluster_status", RED, "the receiver of the standby n12 is absent, not streaming"),
        ("database_running", RED, "the primary n11 lists 1 of 2 streaming replicas"),
        ("cluster_degraded", GREEN, "n12"),
        ("database_degraded", GREEN, "n12"),
        ("cluster_critical", RED, "n11 takes writes"),
    ],
    node_off: [
        ("all_nodes_running", RED, "n13 (power off) does not run"),
        ("ssh_connectivity", RED, "n13 (power off) does not answer"),
        ("node_status:n13", RED, "n13 (power off) does not run"),
        ("node_status:n13:stopped", GREEN, "n13"),
        ("node_status:n13:unreachable", GREEN, "n13"),
        ("node_status:n12:stopped", RED, "n12"),
        ("cluster_status", RED, "n13 (power off) does not run"),
        ("database_running", RED, "n13 (power off) does not run"),
        ("cluster_degraded", GREEN, "n13"),
        ("vms_powered_off", RED, "n11 is on"),
        ("cluster_status_stopped", RED, "n12"),
    ],
    sshd_stopped: [
        ("ssh_connectivity", RED, "n12 (power on, no ssh, refused"),
        ("all_nodes_running", RED, "n12 (power on, no ssh, refused"),
        ("node_status:n12", RED, "n12 (power on, no ssh, refused"),
        ("node_status:n12:stopped", RED, "n12 is on"),
        ("node_status:n12:unreachable", GREEN, "n12"),
        ("cluster_status", RED, "n12"),
        ("vms_powered_off", RED, "n12 is on"),
    ],
    login_impossible: [
        ("ssh_connectivity", ("fail", "infrastructure"), "n12"),
    ],
    cockpit_stopped: [
        ("admin_ui_accessible", RED, "n12: no answer from https://"),
        ("all_nodes_running", GREEN, "n12"),
        ("database_running", GREEN, "n12"),
    ],
    all_off: [
        ("cluster_status_stopped", GREEN, "n11, n12, n13"),
        ("vms_powered_off", GREEN, "n11, n12, n13"),
        ("database_down", GREEN, "n11"),
        ("cluster_critical", GREEN, "3 of 3 nodes are down"),
        ("cluster_degraded", RED, "3 of 3 nodes are down"),
        ("cluster_status", RED, "n11 (power off) does not run"),
        ("database_running", RED, "n11 (power off) does not run"),
        ("database_degraded", RED, "no node takes writes"),
        ("admin_ui_accessible", RED, "n11"),
    ],
}
CASES = [
    pytest.param(situation, *case, id=f"{situation.__name__}-{case[0]}")
    for situation, cases in SITUATIONS.items()
    for case in cases
]


@pytest.mark.parametrize(("situation", "check", "decision", "words"), CASES)
def test_check(
    eyes: Eyes, situation: Situation, check: str, decision: tuple[str, str | None], words: str
) -> None:
    step = eyes.judge(check, eyes.look(situation))
    (result,) = step.validation_results
    assert (step.verdict, step.cause) == decision, result.message
    assert words in result.message
    assert step.error == (None if decision == GREEN else f"{check}: {result.message}")


@pytest.mark.parametrize(
    ("situation", "check", "decision"),
    [
        (sshd_stopped, "all_nodes_running", RED),
        (sshd_stopped, "ssh_connectivity", RED),
        (login_impossible, "ssh_connectivity", ("fail", "infrastructure")),
    ],
)
def test_a_connection_that_is_still_open_hides_nothing(
    eyes: Eyes, situation: Situation, check: str, decision: tuple[str, str]
) -> None:
    before, after = (eyes.judge(check, look) for look in eyes.looks_on(situation, check))
    assert (before.verdict, before.cause) == GREEN, before.error
    assert (after.verdict, after.cause) == decision, after.error
    assert "n12" in str(after.error)


def test_data_integrity_with_all_rows_and_without_one(tmp_path: Path) -> None:
    delete = (
        "with gone as (delete from e2e.integrity where id = 3 returning id) select 1 / count(*) from gone"
    )
    psql = ["runuser", "-u", "postgres", "--", "psql", "-c", delete]
    look: dict[str, Any] = {"step": "validate", "checks": ["data_integrity"]}
    steps = [
        {"step": "deploy"},
        look,
        {"step": "custom_command", "target_node": "n11", "custom_command": psql},
        look,
    ]
    real = run_steps(tmp_path, steps)
    before, after = (step for step in real.test.workflow_steps if step.step_type == "validate")
    assert (before.verdict, before.cause) == ("pass", None)
    assert before.validation_results[0].message.startswith("n11 holds all ")
    assert real.decided("validate") == RED
    assert real.result.exit_code == 1
    assert "n11 lacks 1 of " in str(after.error)
    assert str(after.error).endswith(" acknowledged rows: 3")


#: What needs a writer of rows, or another situation that no look at one cluster gives.
BY_THEMSELVES: Mapping[str, Callable[..., None]] = {
    "data_integrity": test_data_integrity_with_all_rows_and_without_one
}

#: What needs another cluster, other services or the past of a client, and the test that has both colours of it.
ELSEWHERE = {
    "tests/integration/test_switchover.py": (
        "site_primary",
        "site_standby",
        "site_lag",
        "site_fenced",
        "site_absent",
    ),
    "tests/integration/test_patroni.py": ("patroni_leader", "patroni_healthy"),
    "tests/integration/test_role_services.py": (
        "backup_recent",
        "backup_healthy",
        "exporter_up",
        "proxy_writes",
    ),
    "tests/integration/test_data_files.py": ("amcheck", "data_checksums"),
    "tests/unit/checks/test_checks_history.py": (
        "no_lost_rows",
        "outage_writes",
        "outage_reads",
        "bank_sum",
        "linearizable",
        "serializable",
        "no_stale_reads",
        "one_writer",
    ),
}


def test_every_check_is_red_in_one_situation_and_green_in_another() -> None:
    decisions: dict[str, set[tuple[str, str | None]]] = {}
    for cases in SITUATIONS.values():
        for check, decision, _ in cases:
            decisions.setdefault(check.partition(":")[0], set()).add(decision)
    both = {name for name, found in decisions.items() if {RED, GREEN} <= found}
    with isolated():
        assert both | set(BY_THEMSELVES) | {name for names in ELSEWHERE.values() for name in names} == set(
            checks()
        )
    for file, names in ELSEWHERE.items():
        text = (REPOSITORY / file).read_text()
        assert [name for name in names if name not in text] == [], file
