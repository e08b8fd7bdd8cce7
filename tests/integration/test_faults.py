"""Faults on real local nodes: each effect is really there, each heal really ends it, and a broken fault is no pass.

One run has all faults that a container can have; between its steps the nodes are asked by other means than the fault's.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from real_runs import Desk, Real, a_desk, compiled, one_test, run_steps, runs_below, traces, write_suite
from role_nodes import Cluster

from e2e_ansible import api
from e2e_ansible.deadline import Deadline
from e2e_ansible.faults.ledger import FaultRecord, read
from e2e_ansible.judge.result import StepResult
from e2e_ansible.providers.registry import get_provider
from e2e_ansible.report.notice import Notice, StepEnded, TestStarted
from e2e_ansible.run.folder import RunFolder

pytestmark = pytest.mark.nodes

Step = dict[str, Any]
NODES: Step = {"step": "make_nodes"}
SMALL = "/mnt/small"


def fault(name: str, kind: str, target: str, **more: Any) -> Step:
    """A step that injects."""
    return {"step": "fault", "name": name, "fault": kind, "target": target, **more}


def heal(name: str) -> Step:
    """A step that heals."""
    return {"step": "heal", "name": f"un{name}", "fault": name}


# ---- what is asked of the nodes between the steps


def connects(cluster: Cluster, one: str, other: str) -> bool:
    address = cluster.nodes[other].address
    return cluster.try_ssh(one, f"timeout 1 bash -c 'exec 3<>/dev/tcp/{address}/5432'").returncode == 0


def both_ways(cluster: Cluster) -> tuple[bool, bool]:
    return connects(cluster, "n11", "n12"), connects(cluster, "n12", "n11")


def answers(cluster: Cluster, node: str) -> bool:
    """Whether PostgreSQL answers a query there."""
    query = "cd / && timeout 2 runuser -u postgres -- psql -XAtc 'select 1' postgres"
    return cluster.try_ssh(node, query).stdout == "1\n"


def block(cluster: Cluster, node: str) -> str:
    """What the first block of the table is on the disk."""
    path = cluster.ssh(node, "cat /root/path")
    return cluster.ssh(node, f"head -c 8192 /var/lib/postgresql/*/main/{path} | md5sum")


def room(cluster: Cluster) -> bool:
    """Whether a megabyte can be written to the small file system."""
    write = f"runuser -u postgres -- dd if=/dev/zero of={SMALL}/row bs=1M count=1"
    return cluster.try_ssh("n13", f"{write}; code=$?; rm -f {SMALL}/row; exit $code").returncode == 0


def processes(cluster: Cluster, node: str, name: str) -> str:
    return cluster.try_ssh(node, f"pgrep -fc {name}").stdout.strip()


def lost(cluster: Cluster) -> bool:
    """Whether some of thirty connections to n12 take the second that a lost first packet costs."""
    address = cluster.nodes["n12"].address
    one = f"timeout 0.5 bash -c 'exec 3<>/dev/tcp/{address}/5432' || echo lost"
    return "lost" in cluster.ssh("n11", f"for i in $(seq 30); do {{ {one}; }} & done; wait")


def tables(cluster: Cluster, node: str) -> str:
    return cluster.ssh(
        node, "nft list tables; ls /var/lib/e2e-ansible/faults; systemctl list-timers --plain 'e2e-heal*'"
    )


def ready(cluster: Cluster) -> None:
    """Things to look at: a table, and a file system with a bound."""
    cluster.sql("n11", "create table proof as select generate_series(1, 200) as id; checkpoint")
    path = cluster.sql("n11", "select pg_relation_filepath('proof')")
    cluster.ssh("n12", f"echo {path} >/root/path")
    Deadline(20).wait_for(lambda: cluster.sql("n12", "select to_regclass('proof')") == "proof", 0.2)
    cluster.sql("n12", "checkpoint")
    cluster.ssh("n13", f"mkdir {SMALL} && mount -t tmpfs -o size=6m none {SMALL} && chown postgres {SMALL}")


LOOKS: Mapping[str, Callable[[Cluster], object]] = {
    "deploy": ready,
    "cut": lambda c: (
        connects(c, "n11", "n12"),
        connects(c, "n12", "n11"),
        connects(c, "n12", "n13"),
        answers(c, "n11"),
    ),
    "uncut": lambda c: (*both_ways(c), "e2e" in tables(c, "n11")),
    "loss": lost,
    "unloss": lost,
    "kill": lambda c: (
        answers(c, "n12"),
        c.try_ssh("n12", "systemctl is-active postgresql@15-main").stdout.strip(),
    ),
    "unkill": lambda c: answers(c, "n12"),
    "pause": lambda c: answers(c, "n11"),
    "unpause": lambda c: answers(c, "n11"),
    "flip": lambda c: block(c, "n12"),
    "unflip": lambda c: block(c, "n12"),
    "memory": lambda c: processes(c, "n13", "stress-ng") != "0",
    "unmemory": lambda c: processes(c, "n13", "stress-ng") != "0",
    "full": room,
    "unfull": room,
    "crash": lambda c: c.nodes["n13"].power.value,
    "uncrash": lambda c: c.try_ssh("n13", "true").returncode,
    "left": lambda c: connects(c, "n12", "n11"),
}
STEPS: tuple[Step, ...] = (
    {"step": "deploy", "name": "deploy"},
    fault("cut", "partition", "primary"),
    heal("cut"),
    fault("one-way", "partition", "n13", options={"direction": "in"}, for_seconds=0.1),
    fault("bridge", "partition", "n12", options={"shape": "bridge"}, for_seconds=0.1),
    fault("loss", "packet_loss", "replica", options={"percent": 50}),
    heal("loss"),
    fault("kill", "kill", "replica"),
    heal("kill"),
    fault("pause", "pause", "primary"),
    heal("pause"),
    fault("flip", "corruption", "n12", options={"relation": "proof"}),
    heal("flip"),
    fault("memory", "memory_pressure", "n13", options={"mb": 48}),
    heal("memory"),
    fault("cpu", "cpu_pressure", "n13", options={"load_percent": 50}, for_seconds=0.1),
    fault("full", "disk_full", "n13", options={"folder": SMALL}),
    heal("full"),
    fault("crash", "crash", "n13"),
    heal("crash"),
    fault("left", "partition", "random", seed=4),
    {"step": "custom_command", "name": "broken", "custom_command": ["false"]},
)


@dataclass
class Looker:
    """Asks the nodes after each step that has passed, with what the nodes themselves say."""

    folder: Path
    deployment: str = ""
    seen: dict[str, object] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def __call__(self, notice: Notice) -> None:
        if isinstance(notice, TestStarted):
            self.deployment = notice.deployment_id
        if isinstance(notice, StepEnded):
            name = notice.result.id.partition("-")[2]
            look = LOOKS.get(name)
            if look and notice.result.verdict == "pass":
                self._look(name, look)

    def _look(self, name: str, look: Callable[[Cluster], object]) -> None:
        try:
            self.seen[name] = look(Cluster(get_provider("local"), self.deployment, self.folder))
        except Exception as error:
            self.errors.append(f"{name}: {error}")


@dataclass(frozen=True)
class Ran:
    """The run with all faults."""

    real: Real
    seen: Mapping[str, object]

    @property
    def test_folder(self) -> Path:
        return RunFolder.open(self.real.folder).test("tests/test").path

    @property
    def ledger(self) -> dict[str, FaultRecord]:
        return {record.name: record for record in read(self.test_folder / "faults.jsonl")}

    def step(self, name: str) -> StepResult:
        return next(step for step in self.real.test.workflow_steps if step.id.endswith(f"-{name}"))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    folder = tmp_path_factory.mktemp("faults")
    plan = compiled(folder, one_test(STEPS, size=3), {})
    looker = Looker(folder)
    with runs_below(folder) as runs:
        result = api.run([plan], runs=runs, listeners=[looker])
        real = Real(result, runs / result.run_id)
        assert traces(real.folder) == []
        assert looker.errors == []
        yield Ran(real, looker.seen)


def test_every_fault_and_every_heal_is_proved(ran: Ran) -> None:
    verdicts = {
        step.id.partition("-")[2]: (step.verdict, step.error) for step in ran.real.test.workflow_steps
    }
    assert {name: found for name, found in verdicts.items() if found[0] != "pass"}.keys() == {"broken"}, (
        verdicts
    )


EXPECTED = {
    "cut": (False, False, True, True),
    "uncut": (True, True, False),
    "loss": True,
    "unloss": False,
    "kill": (False, "failed"),
    "unkill": True,
    "pause": False,
    "unpause": True,
    "memory": True,
    "unmemory": False,
    "full": False,
    "unfull": True,
    "crash": "off",
    "uncrash": 0,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_nodes_themselves_say_the_same(ran: Ran, name: str) -> None:
    assert ran.seen[name] == EXPECTED[name]


def test_a_flipped_block_is_put_back(ran: Ran) -> None:
    assert ran.seen["flip"] != ran.seen["unflip"]
    (record,) = [each for each in ran.ledger.values() if each.name == "flip"]
    assert "64 bytes of block 0" in ran.step("flip").proofs[-1].how
    assert record.healed


def test_the_choice_is_in_the_result_with_its_reason(ran: Ran) -> None:
    chosen = {name: ran.step(name).proofs[0] for name in ("cut", "loss", "left")}
    assert chosen["cut"].how == "primary: PostgreSQL on n11 is not in recovery: n11"
    assert chosen["loss"].how == "replica: n12 of n12, n13 in recovery: n12"
    assert "by seed 4" in chosen["left"].how


def test_what_is_left_open_is_healed_before_the_nodes_go(ran: Ran) -> None:
    """The run failed for another reason; that is what its verdict says."""
    test = ran.real.test
    assert (test.verdict, test.cause) == ("fail", "product")
    assert ran.ledger["left"].healed
    entries = [json.loads(line) for line in (ran.test_folder / "journal.jsonl").read_text().splitlines()]
    kinds = [entry["kind"] for entry in entries]
    assert kinds.index("faults_healed") < kinds.index("evidence") < kinds.index("clean_up_ended")


def test_the_ledger_tells_everything_in_order(ran: Ran) -> None:
    assert not [record.id for record in ran.ledger.values() if record.open]
    for record in ran.ledger.values():
        if record.heal is not None and record.heal["kind"] == "shell":
            times = [record.intended, record.injected, record.effect, record.healing, record.healed]
            assert None not in times and times == sorted(time for time in times if time), record.id
            assert record.before and record.before["machine_id"]


# ---- faults that do not work


#: It takes every rule and does nothing with it.
DEAF_NFT = """
mv /usr/sbin/nft /usr/sbin/nft.real
printf '#!/bin/sh\\ncase $1 in -f) cat ;; *) exec /usr/sbin/nft.real "$@" ;; esac\\n' >/usr/sbin/nft
chmod 755 /usr/sbin/nft
"""


def on_n12(command: str) -> Callable[[Cluster], str]:
    return lambda cluster: cluster.ssh("n12", command)


@pytest.mark.parametrize(
    ("broken", "step", "why"),
    [
        ("mv /usr/sbin/nft /root", fault("cut", "partition", "n12"), "nftables is not installed"),
        (DEAF_NFT, fault("cut", "partition", "n12"), "a connection is still made"),
        ("true", fault("kill", "kill", "n12", options={"unit": "nobody"}), "there is nothing to kill"),
        ("true", fault("full", "disk_full", "n12"), "the disk of the controller"),
    ],
)
def test_a_fault_without_effect_is_unknown(tmp_path: Path, broken: str, step: Step, why: str) -> None:
    real = run_steps(tmp_path, [NODES, step], size=2, acts={"fault": on_n12(broken)})
    assert real.decided("fault") == ("unknown", "infrastructure")
    assert why in (real.step("fault").error or "")


def test_nobody_to_choose_is_trouble_of_machines(tmp_path: Path) -> None:
    real = run_steps(tmp_path, [NODES, fault("cut", "partition", "replica")], size=2)
    assert real.decided("fault") == ("fail", "infrastructure")
    assert "no node is a replica" in (real.step("fault").error or "")


def test_a_heal_that_is_not_proved_fails_the_clean_up(tmp_path: Path) -> None:
    """The node suddenly says that it is another machine, so nobody may touch it any more."""
    steps = [NODES, fault("cut", "partition", "n12", for_seconds=0.1)]
    other = on_n12("echo 0123456789abcdef0123456789abcdef >/etc/machine-id")
    real = run_steps(tmp_path, steps, size=2, acts={"fault : Let it last": other})
    assert real.decided("fault") == ("fail", "clean-up")
    assert "refused: n12 answers as machine 0123456789abcdef0123456789abcdef" in (real.test.error or "")


# ---- a run that is killed


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with a_desk(tmp_path) as made:
        made.allow_make_nodes()
        yield made


def test_another_process_heals_what_a_killed_run_has_left(desk: Desk) -> None:
    wait = {"step": "custom_command", "custom_command": ["sleep", "300"]}
    suite = write_suite(
        desk.folder / "s.json", test=one_test([NODES, fault("cut", "partition", "n12"), wait], size=2)
    )
    with desk.start("run", str(suite), "--allow-plugins") as run:
        ledger = Deadline(120).wait_for(
            lambda: next(iter(desk.runs.glob("*/tests/test/faults.jsonl")), None), 0.2
        )
        assert ledger
        assert Deadline(60).wait_for(lambda: [each for each in read(ledger) if each.effect_proved], 0.2)
        alive = desk.call("heal")
        assert (alive.code, "still running" in alive.said) == (2, True)
        os.killpg(run.pid, signal.SIGKILL)
    (manifest,) = [json.loads(path.read_text()) for path in desk.runs.glob("*/run.json")]
    cluster = Cluster(get_provider("local"), manifest["tests"][0]["deployment"], desk.folder)
    assert "e2e_fault" in tables(cluster, "n12")
    healed = desk.call("heal", manifest["run_id"])
    assert (healed.code, "cut on n12 was healed: connections are made again" in healed.out) == (0, True), (
        healed.said
    )
    left = tables(cluster, "n12")
    assert "e2e_fault" not in left and ".json" not in left
    again = desk.call("heal", manifest["run_id"])
    assert (again.code, again.out) == (0, "no fault was open\n")


def test_the_node_heals_itself_if_nobody_comes(desk: Desk) -> None:
    cut = fault("cut", "partition", "n12", expires_seconds=4)
    suite = write_suite(desk.folder / "s.json", test={**one_test([NODES, cut], size=2), "keep": "always"})
    with desk.start("run", str(suite), "--allow-plugins") as run:
        ledger = Deadline(120).wait_for(
            lambda: next(iter(desk.runs.glob("*/tests/test/faults.jsonl")), None), 0.05
        )
        assert ledger
        assert Deadline(60).wait_for(lambda: [each for each in read(ledger) if each.injected], 0.05)
        os.killpg(run.pid, signal.SIGKILL)
    (manifest,) = [json.loads(path.read_text()) for path in desk.runs.glob("*/run.json")]
    cluster = Cluster(get_provider("local"), manifest["tests"][0]["deployment"], desk.folder)
    assert Deadline(20).wait_for(lambda: "e2e_fault" not in cluster.ssh("n12", "nft list tables"), 0.2)
    assert desk.call("heal").code == 0
