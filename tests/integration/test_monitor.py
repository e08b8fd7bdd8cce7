"""The monitor on a real node: each thing that is broken raises one alert, which ends when it is well again."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from real_runs import compiled, destroy_runs, one_test
from role_nodes import Cluster

from e2e_ansible import api
from e2e_ansible.compile.plan import Plan
from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.processes import marked
from e2e_ansible.engine.protocol import Cancel, Engine
from e2e_ansible.monitor.look import EngineLook
from e2e_ansible.monitor.monitor import Monitor
from e2e_ansible.monitor.snapshot import cpu_percent
from e2e_ansible.monitor.thresholds import Thresholds
from e2e_ansible.nodes.load import Cpu
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.local.deployment import local_node
from e2e_ansible.providers.local.record import Store
from e2e_ansible.providers.registry import get_provider
from e2e_ansible.run.engines import open_engine
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.scratch import environment, scratch_folder
from e2e_ansible.soak.records import Alert, AlertRecord, Record, ResourceSnapshot

pytestmark = pytest.mark.nodes

DATA = "/var/lib/postgresql/15/main"
TOKEN = "monitor-test"
#: Everything at once, but what the machine around the node decides.
LIMITS = Thresholds(
    cluster_unavailable_seconds=0,
    observability_not_ready_seconds=0,
    monitor_blind_seconds=0,
    node_disk_percent=60,
    node_disk_seconds=0,
    node_cpu_percent=100,
    node_memory_percent=100,
    node_down_seconds=3600,
)
_WAIT_SECONDS = 60
#: The data lies on a disk of its own, so that filling it harms nobody else.
_OWN_DISK = f"""set -e
systemctl stop postgresql@15-main
mv {DATA} {DATA}.was && mkdir {DATA}
mount -t tmpfs -o size=250m,mode=0700,uid=$(id -u postgres),gid=$(id -g postgres) data {DATA}
cp -a {DATA}.was/. {DATA}/
systemctl start postgresql@15-main
"""


@dataclass
class Room:
    """A deployed node with its exporter, and the engine that has deployed it."""

    plan: Plan
    nodes: Cluster
    engine: Engine
    folder: Path
    scratch: Path

    def look(self) -> EngineLook:
        return EngineLook(
            self.engine,
            self.plan,
            self.folder / "monitor",
            provider=self.nodes.provider,
            deployment=self.nodes.deployment,
            token=TOKEN,
            environment=environment(self.scratch),
        )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process of the node."""
        deployment = Store(default_home()).load(self.nodes.deployment)
        store = Store(default_home())
        (leader,) = local_node(deployment, deployment.node("n11"), store).running().leaders
        space = Path(f"/proc/{leader.pid}/ns/pid").readlink()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "ns/pid").readlink() == space:
                    os.kill(int(entry.name), number)
            except OSError:
                continue


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """One node for all tests of this module."""
    folder = tmp_path_factory.mktemp("monitor")
    plan = compiled(folder, one_test([{"step": "deploy"}], exporter=True), {})
    runs = folder / "runs"
    try:
        with open_engine() as engine, scratch_folder(Path(f"/tmp/e2e-mon{os.getpid()}")) as scratch:
            result = api.run([plan], runs=runs, keep="always", engine=engine)
            assert result.passed == 1, result.tests[0].error
            (test,) = RunFolder.open(runs / result.run_id).manifest().tests
            nodes = Cluster(get_provider("local"), test.deployment, folder)
            nodes.ssh("n11", _OWN_DISK)
            yield Room(plan, nodes, engine, folder, scratch)
    finally:
        destroy_runs(runs, default_home())


@dataclass
class Watched:
    """What a monitor has written."""

    alerts: Path
    records: list[Record] = field(default_factory=list)

    @property
    def snapshots(self) -> list[ResourceSnapshot]:
        return [record for record in list(self.records) if isinstance(record, ResourceSnapshot)]

    @property
    def told(self) -> list[Alert]:
        return [record.alert for record in list(self.records) if isinstance(record, AlertRecord)]

    def wait(self, holds: Callable[[ResourceSnapshot], object]) -> ResourceSnapshot:
        """The first look from now on of which this is true."""
        begun = len(self.snapshots)

        def found() -> ResourceSnapshot | None:
            return next((seen for seen in self.snapshots[begun:] if holds(seen)), None)

        seen = Deadline(_WAIT_SECONDS).wait_for(found)
        assert seen is not None, [record.model_dump_json() for record in self.snapshots[-2:]]
        return seen


@contextmanager
def watching(room: Room, folder: Path) -> Iterator[Watched]:
    watched = Watched(folder / "alerts")
    look = room.look()
    monitor = Monitor(
        {node.name: node.labels for node in room.plan.nodes},
        (),
        look,
        watched.records.append,
        run_id="r",
        alerts=watched.alerts,
        limits=LIMITS,
        interval=0.3,
    )
    monitor.start()
    try:
        yield watched
    finally:
        monitor.stop()
        look.close()
    assert monitor.trouble == ""


def healthy(seen: ResourceSnapshot) -> bool:
    return seen.primary is not None and seen.primary.healthy is True


def well(seen: ResourceSnapshot) -> bool:
    exporter = seen.primary.exporter if seen.primary else None
    return healthy(seen) and exporter is not None and exporter.up is True


@contextmanager
def one_alert(watched: Watched, kind: str) -> Iterator[None]:
    """In the body something is broken, seen, and made good. One alert of its kind tells of it."""

    def told() -> list[Alert]:
        return [alert for alert in watched.told[before:] if alert.alert_type == kind]

    watched.wait(well)
    before = len(watched.told)
    yield
    assert Deadline(_WAIT_SECONDS).wait_for(lambda: len(told()) >= 2), watched.told
    begun, ended = told()
    assert begun.ended is None
    assert (ended.alert_id, ended.started) == (begun.alert_id, begun.started)
    assert ended.ended is not None
    assert ended.ended > ended.started
    path = watched.alerts / f"{begun.alert_id}.json"
    assert Deadline(_WAIT_SECONDS).wait_for(lambda: json.loads(path.read_text())["ended"] == ended.ended)


def test_each_thing_that_breaks_raises_one_alert_that_ends(room: Room, tmp_path: Path) -> None:
    with watching(room, tmp_path) as watched:
        first = watched.wait(healthy)
        assert first.primary is not None
        assert (first.primary.role, first.primary.members) == ("primary", {"n11": "primary"})

        with one_alert(watched, "OBSERVABILITY_NOT_READY"):
            room.nodes.ssh("n11", "systemctl stop prometheus-postgres-exporter")
            seen = watched.wait(
                lambda seen: seen.primary and seen.primary.exporter and not seen.primary.exporter.up
            )
            assert healthy(seen)
            room.nodes.ssh("n11", "systemctl start prometheus-postgres-exporter")

        with one_alert(watched, "CLUSTER_UNAVAILABLE"):
            room.nodes.ssh("n11", "systemctl stop postgresql@15-main")
            seen = watched.wait(lambda seen: seen.primary and seen.primary.healthy is False)
            assert seen.primary is not None
            assert seen.primary.members == {"n11": "down"}
            room.nodes.ssh("n11", "systemctl start postgresql@15-main")

        with one_alert(watched, "NODE_DISK"):
            full = watched.snapshots[-1].nodes["n11"].disk_percent
            assert full is not None
            assert full < 40
            room.nodes.ssh("n11", f"fallocate -l 160M {DATA}/fill")
            seen = watched.wait(lambda seen: (seen.nodes["n11"].disk_percent or 0) > 60)
            assert seen.nodes["n11"].disk_percent == pytest.approx(full + 64, abs=8)
            room.nodes.ssh("n11", f"rm {DATA}/fill")

        with one_alert(watched, "MONITOR_BLIND"):
            room.signal(signal.SIGSTOP)
            try:
                seen = watched.wait(lambda seen: seen.primary and seen.primary.healthy is None)
                assert (seen.error, seen.nodes["n11"].state) == ("", "unreachable")
            finally:
                room.signal(signal.SIGCONT)
    # A server that has just come up is asked by its exporter for the first time when somebody asks that.
    others = [alert.alert_type for alert in watched.told if alert.alert_type != "OBSERVABILITY_NOT_READY"]
    assert others == [kind for kind in ("CLUSTER_UNAVAILABLE", "NODE_DISK", "MONITOR_BLIND") for _ in "be"]
    assert marked(TOKEN) == []


def test_the_processor_is_that_of_the_node_and_a_look_costs_little(room: Room) -> None:
    look, spent, counted = room.look(), list[float](), list[Cpu]()
    burn = "import time\nwhile time.process_time() < 2: pass"
    for act in ("true", f"python3 -c '{burn}'", "true"):
        room.nodes.ssh("n11", act)
        begin = time.process_time()
        load = look(60.0, Cancel()).nodes[0].load
        spent.append(time.process_time() - begin)
        assert load is not None
        assert load.cpu is not None
        counted.append(load.cpu)
    look.close()
    assert {cpu.source for cpu in counted} == {"cgroup"}, "that of this machine is not that of the node"
    idle, busy, again = counted
    burnt = busy.busy_seconds - idle.busy_seconds
    beside = again.busy_seconds - busy.busy_seconds
    assert burnt - beside == pytest.approx(2, abs=1.5)
    assert cpu_percent(idle, busy) == pytest.approx(
        100 * burnt / (busy.of_seconds - idle.of_seconds), abs=0.1
    )
    assert min(spent) < 0.5, "seconds of this process; the rest is Ansible's"


def test_a_look_at_a_node_that_hangs_is_cut_off(room: Room, tmp_path: Path) -> None:
    room.signal(signal.SIGSTOP)
    try:
        look = room.look()
        records: list[Record] = []
        monitor = Monitor(
            {"n11": ("database",)}, (), look, records.append, run_id="r", alerts=tmp_path, limits=LIMITS
        )
        monitor.start()
        assert Deadline(_WAIT_SECONDS).wait_for(lambda: marked(TOKEN))
        begin = time.monotonic()
        monitor.stop()
        took = time.monotonic() - begin
        look.close()
    finally:
        room.signal(signal.SIGCONT)
    assert took < 6, "the look itself would have taken its deadline"
    assert records == []
    assert marked(TOKEN) == []
