"""Failures of a soak on real nodes: the faults of services by hand, and cycles with a failure in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from real_runs import one_test, runs_below, traces, write_suite
from role_nodes import Cluster

from e2e_ansible.faults.ledger import FaultRecord
from e2e_ansible.faults.ledger import read as read_ledger
from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.providers.registry import get_provider
from e2e_ansible.report.notice import Notice, StepEnded, TestStarted
from e2e_ansible.run.context import RunOptions
from e2e_ansible.run.engines import open_engine
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.soak.course import Course
from e2e_ansible.soak.folder import SoakFolder
from e2e_ansible.soak.metrics import read
from e2e_ansible.soak.options import PlannedInjection, SoakOptions
from e2e_ansible.soak.records import CycleEnd, FailureInjection, Record
from e2e_ansible.soak.session import Hearers, run_soak
from e2e_ansible.steps.registry import step_types
from e2e_ansible.suite.load import load_suite
from e2e_ansible.verdict import Verdict

pytestmark = pytest.mark.nodes

Step = dict[str, Any]
Look = Callable[[Cluster], object]
EXPORTER = "prometheus-postgres-exporter"


def fault(name: str, kind: str, target: str) -> Step:
    """A step that injects."""
    return {"step": "fault", "name": name, "fault": kind, "target": target}


def heal(name: str) -> Step:
    """A step that heals."""
    return {"step": "heal", "name": f"un{name}", "fault": name}


# ---- what is asked of the nodes between the steps


def backup(cluster: Cluster) -> tuple[str, bool]:
    """The state of the timer, and whether a backup can be made by its service."""
    timer = cluster.try_ssh("n12", "systemctl is-active e2e-backup.timer").stdout.strip()
    return timer, cluster.try_ssh("n12", "systemctl start e2e-backup.service").returncode == 0


def fetch(cluster: Cluster) -> bool:
    """Whether WAL can be fetched from the repository, as a restore does it, within seconds."""
    name = cluster.ssh(
        "n12", "ls /var/lib/pgbackrest/archive/main/*/*/ | grep -o '^[0-9A-F]\\{24\\}-' | head -n 1"
    )
    get = f"cd / && timeout 4 runuser -u postgres -- pgbackrest --stanza=main archive-get {name.rstrip('-')} /tmp/wal"
    return cluster.try_ssh("n11", get).returncode == 0


def metrics(cluster: Cluster) -> tuple[bool, bool]:
    """Whether metrics are given, and whether the service can be started by anybody."""
    get = "exec 3<>/dev/tcp/127.0.0.1/9187 && printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '^pg_up 1' <&3"
    given = cluster.try_ssh("n11", f"timeout 5 bash -c {get!r}").returncode == 0
    return given, cluster.try_ssh("n11", f"systemctl start {EXPORTER}").returncode == 0


LOOKS: Mapping[str, Look] = {
    "pause": backup,
    "unpause": backup,
    "delay": fetch,
    "undelay": fetch,
    "kill": metrics,
    "unkill": metrics,
}
EXPECTED: Mapping[str, object] = {
    "pause": ("inactive", False),
    "unpause": ("active", True),
    "delay": False,
    "undelay": True,
    "kill": (False, False),
    "unkill": (True, True),
}
GET = "exec 3<>/dev/tcp/127.0.0.1/9187"


def command(name: str, node: str, text: str, **more: Any) -> Step:
    """A step that runs a command of bash."""
    return {
        "step": "custom_command",
        "name": name,
        "target_node": node,
        "custom_command": ["bash", "-c", text],
        **more,
    }


def tried(name: str, kind: str, target: str, **more: Any) -> Step:
    """A fault without its subject, and a rescue that lets the test go on."""
    rescue = [{"step": "heal", "fault": name}]
    steps = [{**fault(name, kind, target), **more}]
    return {"step": "group", "steps": steps, "rescue": rescue, "on_rescue": "continue"}


def at_once(*steps: Step) -> Step:
    return {"step": "group", "parallel": True, "steps": list(steps)}


SERVER_IS_UP = "systemctl start --no-block pgbackrest; until ss -Hltn | grep -q :8432; do sleep 0.1; done"
BY_HAND: tuple[Step, ...] = (
    {"step": "deploy"},
    at_once(
        tried("no-timer", "pause_backup", "n11"),
        tried("no-exporter", "kill_observability", "n11", options={"unit": "nobody"}),
        {
            "step": "group",
            "steps": [
                command("stop", "n12", "systemctl stop pgbackrest"),
                tried("no-server", "delay_restore", "n12"),
                command("start", "n12", SERVER_IS_UP),
            ],
        },
    ),
    at_once(
        fault("pause", "pause_backup", "n12"),
        fault("delay", "delay_restore", "n12"),
        fault("kill", "kill_observability", "n11"),
    ),
    at_once(heal("delay"), heal("kill")),
    heal("pause"),
)
#: Its activation fails without the timer of backups once a cycle has passed; its last phase wants all to be well.
CYCLE: tuple[Step, ...] = (
    command("ready", "n11", GET, phase="preflight"),
    {
        "step": "group",
        "phase": "activation",
        "steps": [
            command("activate", "n12", "systemctl is-active e2e-backup.timer || [ ! -e /root/passed ]")
        ],
        "rescue": [
            command("roll-back", "n12", "rm /root/passed"),
            {"step": "validate", "name": "rolled-back", "checks": ["database_running"]},
        ],
    },
    command("passed", "n12", "touch /root/passed", phase="post_activation"),
    {"step": "validate", "phase": "finalization", "checks": ["exporter_up", "backup_healthy"]},
)
SCHEDULE = (
    PlannedInjection(cycle=1, scenario="kill_observability", phase="activation"),
    PlannedInjection(cycle=2, scenario="pause_backup", phase="activation"),
    PlannedInjection(cycle=3, scenario="pause_backup", phase="activation", target="n11"),
)


class Looker:
    """Asks the nodes after each step, with what the nodes themselves say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.deployment = ""
        self.seen: dict[str, object] = {}
        self.errors: list[str] = []

    def __call__(self, notice: Notice) -> None:
        if isinstance(notice, TestStarted):
            self.deployment = notice.deployment_id
        if isinstance(notice, StepEnded):
            self._look(notice.result.id.partition("-")[2])

    def _look(self, name: str) -> None:
        if name in LOOKS:
            try:
                self.seen[name] = LOOKS[name](Cluster(get_provider("local"), self.deployment, self.folder))
            except Exception as error:
                self.errors.append(f"{name}: {error}")


@dataclass(frozen=True)
class Ran:
    """A soak that has ended and left nothing: faults by hand in its set-up, then cycles with a failure each."""

    folder: RunFolder
    seen: Mapping[str, object]

    @property
    def steps(self) -> Mapping[str, StepResult]:
        """Of the set-up, by name."""
        result = TestResult.model_validate_json(self.folder.test("tests/setup").result.read_text())
        return {step.id.partition("-")[2]: step for step in result.workflow_steps}

    @property
    def ledger(self) -> Mapping[str, FaultRecord]:
        """Of the set-up, by name."""
        return {record.name: record for record in read_ledger(self.folder.test("tests/setup").faults)}

    def injection(self, cycle: int) -> FailureInjection:
        """What the records say of the failure of a cycle."""
        (found,) = (one for one in self._records(cycle) if isinstance(one, FailureInjection))
        print(found)
        return found

    def cycle(self, cycle: int) -> CycleEnd:
        """What the records say of a cycle."""
        (found,) = (one for one in self._records(cycle) if isinstance(one, CycleEnd))
        return found

    def verdicts(self, cycle: int) -> Mapping[str, Verdict | None]:
        """Of the steps of a cycle that were run, by name."""
        return {name.partition("-")[2]: step.verdict for name, step in self.cycle(cycle).steps.items()}

    def _records(self, cycle: int) -> Iterator[Record]:
        return (one for one in read(SoakFolder(self.folder).metrics) if one.cycle_num == cycle)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    folder = tmp_path_factory.mktemp("injection")
    test = one_test((*BY_HAND, *CYCLE), size=2, backup=True, exporter=True)
    suite = load_suite(write_suite(folder / "suite.json", test=test))
    options = SoakOptions(cycles=4, cooldown=0, schedule=SCHEDULE)
    course = Course(lambda contexts: suite, step_types(), options)
    looker = Looker(folder)
    hearers = Hearers(listeners=[looker])
    with runs_below(folder) as runs, open_engine() as engine:
        _, run = run_soak(course, runs=runs, engine=engine, options=RunOptions(), hearers=hearers)
        assert traces(run.path) == []
        assert looker.errors == []
        yield Ran(run, looker.seen)


def test_faults_of_services_are_proved_and_so_is_their_heal(ran: Ran) -> None:
    for name in ("pause", "delay", "kill"):
        step, record = ran.steps[name], ran.ledger[name]
        assert step.verdict == "pass", step.error
        assert (record.effect_proved, record.open) == (True, False)
        print(f"{record.fault}: {step.proofs[-1].how}; {record.message}")
        assert ran.steps[f"un{name}"].verdict == "pass"


@pytest.mark.parametrize("name", EXPECTED)
def test_the_nodes_themselves_say_the_same(ran: Ran, name: str) -> None:
    assert ran.seen[name] == EXPECTED[name]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no-timer", "nothing makes backups here by itself"),
        ("no-server", "there is nothing to delay"),
        ("no-exporter", "there is nothing to kill"),
    ],
)
def test_a_fault_without_its_subject_is_unknown(ran: Ran, name: str, why: str) -> None:
    found = ran.steps[name]
    assert (found.verdict, found.cause) == ("unknown", "infrastructure")
    assert why in (found.error or "")
    assert not ran.ledger[name].open


def test_a_failure_that_is_survived_is_over_before_the_next_phase(ran: Ran) -> None:
    found = ran.injection(1)
    assert (found.success, found.undone, found.details["nodes"]) == (True, True, ["n11"])
    assert "nothing answers on *:9187" in found.message
    assert set(ran.verdicts(1).values()) == {"pass"}
    assert {"injected-over", "continuity-check"} < set(ran.verdicts(1))


def test_a_failed_activation_is_rolled_back_healed_and_nothing_is_lost(ran: Ran) -> None:
    found, end, verdicts = ran.injection(2), ran.cycle(2), ran.verdicts(2)
    assert (found.success, found.undone, found.details["nodes"]) == (True, True, ["n12"])
    assert (end.verdict, end.cause) == ("fail", "product")
    assert "-activate: " in end.error
    assert "passed" not in verdicts
    back = ("roll-back", "rolled-back", "injected-healed", "continuity-end", "continuity-check")
    assert {name: verdicts[name] for name in back} == dict.fromkeys(back, "pass")
    assert (found.details["continuity"], end.clients["continuity"].lost) == ("pass", 0)


def test_a_failure_that_does_not_take_is_recorded_and_the_cycle_goes_on(ran: Ran) -> None:
    found, verdicts = ran.injection(3), ran.verdicts(3)
    assert (found.success, found.undone) == (False, True)
    assert "nothing makes backups here by itself" in found.message
    assert ran.cycle(3).verdict == "pass"
    assert {name for name, verdict in verdicts.items() if verdict != "pass"} == {"injected"}


def test_what_failures_were_injected_into_is_as_good_as_before(ran: Ran) -> None:
    assert ran.cycle(4).verdict == "pass"
    assert not any("injected" in name for name in ran.verdicts(4))
