"""Set-up of three nodes with four services, as a graph and one by one, and what bounds it."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import Times, table
from e2e_ansible import api
from e2e_ansible.compile.course import Course, course_of
from e2e_ansible.engine.name import EngineName
from e2e_ansible.judge.result import RunResult
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.local.record import Store
from e2e_ansible.report.notice import Notice, StepEnded, StepStarted, TestStarted
from e2e_ansible.run.engines import open_engine

__all__ = ["setup"]

_NODES = ("n11", "n12", "n13")
_PACKAGES = ["redis-server"]
#: What is installed, and what each service waits for beside its nodes.
_SERVICES: Mapping[str, tuple[str, ...]] = {
    "postgresql": (),
    "redis": ("load",),
    "admin_ui": (),
    "exporter": ("postgresql",),
}
_READY = {"step": "validate", "name": "ready", "checks": ["cluster_status", "admin_ui_accessible"]}
_HEAD = ["set-up", "wall, s", "steps summed, s", "processor, s", "cores busy", "graph against it"]


def setup(folder: Path, rounds: int) -> str:
    """The same steps in one run: by what they need, one by one, and one by one on one node after the other.

    The last two also with a process of ansible-runner for each step (cold), as who writes playbooks would run them.
    """
    folder.mkdir(parents=True)
    suite = folder / "setup.yaml"
    cases = _cases()
    tests = {name: _test(case.steps) for name, case in cases.items()}
    suite.write_text(yaml.safe_dump({"test_suites": tests}, sort_keys=False))
    taken: dict[str, list[_Taken]] = {name: [] for name in tests}
    for number in range(-1, rounds):  # the first round fetches packages and makes the image
        for name, plan in zip(tests, api.plan(api.load(suite, provider="local")), strict=True):
            watch = _Watch()
            with open_engine(cases[name].engine) as engine:
                result = api.run([plan], runs=folder / "runs", listeners=[watch], engine=engine)
            if number >= 0:
                taken[name].append(_taken(result, watch))
    (graph,) = api.plan(api.load(suite, provider="local"), tests=["graph"])
    return f"{_table(taken)}\n\n{_bound(taken, course_of(graph))}\n"


@dataclass(frozen=True)
class _Taken:
    """One set-up, all in seconds. `steps` is what each took, `path` those of the critical path."""

    wall: float
    summed: float
    processor: float
    steps: Mapping[str, float]
    path: tuple[str, ...]


@dataclass
class _Watch:
    """Processor seconds of this run alone, of the controller and of the nodes, from the first step to the last."""

    began: float | None = None
    ended: float = 0.0
    deployment: str = ""

    def __call__(self, notice: Notice) -> None:
        """Look at what was used when a step begins or ends; nodes have used nothing before they are made."""
        if isinstance(notice, TestStarted):
            self.deployment = notice.deployment_id
        if isinstance(notice, StepStarted) and self.began is None:
            self.began = self._used()
        if isinstance(notice, StepEnded):
            self.ended = self._used()

    def _used(self) -> float:
        machines = _machines(self.deployment)
        return _controller(machines) + _nodes(machines)


def _controller(machines: Sequence[str]) -> float:
    """Seconds used by this process and all below it but nodes; those that have ended count at their parents."""
    parents: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            group = path.with_name("cgroup").read_text()
        except OSError:
            continue
        if any(f"/e2e-{name}/" in group for name in machines):
            continue
        process = int(path.parent.name)
        parents.setdefault(int(fields[1]), []).append(process)
        used[process] = sum(map(int, fields[11:15]))
    found, waiting = 0, [os.getpid()]
    while waiting:
        process = waiting.pop()
        found += used.get(process, 0)
        waiting += parents.get(process, [])
    return found / os.sysconf("SC_CLK_TCK")


def _nodes(machines: Sequence[str]) -> float:
    """Seconds used in the control groups of the nodes since they were made."""
    stats = [stat for name in machines for stat in Path("/sys/fs/cgroup").glob(f"**/e2e-{name}/cpu.stat")]
    words = [dict(line.split() for line in stat.read_text().splitlines()) for stat in stats]
    return sum(int(each.get("usage_usec", 0)) for each in words) / 1e6


def _machines(deployment: str) -> list[str]:
    found = Store(default_home()).find(deployment)
    return [node.machine for node in found.record.nodes] if found else []


def _taken(result: RunResult, watch: _Watch) -> _Taken:
    (test,) = result.tests
    if test.verdict is not api.Verdict.PASS:
        raise RuntimeError(str(test.error))
    steps = test.workflow_steps
    begin = min(step.started or 0.0 for step in steps)
    end = max(step.ended or 0.0 for step in steps)
    return _Taken(
        wall=end - begin,
        summed=sum(step.duration for step in steps),
        processor=watch.ended - (watch.began or 0.0),
        steps={step.id: step.duration for step in steps},
        path=test.graph.path if test.graph else (),
    )


def _table(taken: Mapping[str, Sequence[_Taken]]) -> str:
    walls = {name: Times(tuple(1000 * each.wall for each in rounds)) for name, rounds in taken.items()}
    graph = walls["graph"]
    rows = [
        [
            name,
            f"{walls[name].median / 1000:.1f}",
            f"{_middle(each.summed for each in rounds):.1f}",
            f"{_middle(each.processor for each in rounds):.1f}",
            f"{_middle(each.processor / each.wall for each in rounds):.2f}",
            "" if name == "graph" else graph.times_faster_than(walls[name]),
        ]
        for name, rounds in taken.items()
    ]
    return table(_HEAD, rows)


def _bound(taken: Mapping[str, Sequence[_Taken]], course: Course) -> str:
    """What bounds it: the path that cannot be shortened by order, and the work that the processors have to do."""
    cores = os.cpu_count() or 1
    best = min(taken["graph"], key=lambda each: each.wall)
    listed = min(taken["one-by-one"], key=lambda each: each.wall)
    path, alone = course.longest(listed.steps)
    work = _middle(each.processor for each in taken["one-by-one"]) / cores
    most = min(listed.wall / alone, listed.wall / work)
    had = _middle(each.wall for each in taken["one-by-one"]) / _middle(each.wall for each in taken["graph"])
    return (
        f"Critical path of the fastest graph: {_told(best.path, best.steps)}.\n\n"
        f"What bounds it. One by one each step has the machine for itself. Then the longest path is {alone:.1f} of "
        f"{listed.wall:.1f} s, so with any number of cores the graph could be {listed.wall / alone:.1f}x as fast: "
        f"{_told(path, listed.steps)}. All steps are {work:.1f} s of work for each of {cores} cores, so with these it "
        f"could be {listed.wall / work:.1f}x as fast if they never waited. More than {most:.1f}x is not to be had here "
        f"by order alone; it is {had:.1f}x. One by one each step acts on all nodes at once already, as Ansible does; "
        "node by node each service is installed on one node after the other. Cold, each step starts a process of "
        "ansible-runner.\n"
    )


def _told(path: Iterable[str], steps: Mapping[str, float]) -> str:
    return " > ".join(f"{name} {steps[name]:.1f} s" for name in path)


def _middle(values: Iterable[float]) -> float:
    return statistics.median(values)


@dataclass(frozen=True)
class _Case:
    steps: list[dict[str, Any]]
    engine: EngineName = EngineName.WARM


def _cases() -> Mapping[str, _Case]:
    return {
        "graph": _Case(list(_graph())),
        "one-by-one": _Case(list(_listed())),
        "one-by-one-cold": _Case(list(_listed()), EngineName.COLD),
        "node-by-node": _Case(list(_node_by_node())),
        "node-by-node-cold": _Case(list(_node_by_node()), EngineName.COLD),
    }


def _test(steps: list[dict[str, Any]]) -> dict[str, Any]:
    parameters = {"cluster_size": len(_NODES), "exporter": True}
    return {"parameters": parameters, "workflow": steps}


def _graph() -> Iterator[dict[str, Any]]:
    needs = {"init": [], "build": ["init"], "nodes": ["init"], "load": ["build", "nodes"]}
    for step in _listed():
        name = step["name"]
        if name in _SERVICES:
            yield {**step, "needs": ["nodes", *_SERVICES[name]]}
        else:
            yield {**step, **({"needs": needs[name]} if name in needs else {})}


def _listed() -> Iterator[dict[str, Any]]:
    yield {"step": "init", "name": "init"}
    yield {"step": "build_artifact", "name": "build", "artifact": "packages", "packages": _PACKAGES}
    yield {"step": "create_nodes", "name": "nodes"}
    yield {"step": "load_artifact", "name": "load", "artifact": "packages", "packages": _PACKAGES}
    for service in _SERVICES:
        yield {"step": "install", "name": service, "service": service}
    yield {**_READY, "retry": {"max_attempts": 120, "delay_seconds": 0.25}}


def _node_by_node() -> Iterator[dict[str, Any]]:
    for step in _listed():
        for node in _NODES if step["step"] in ("install", "load_artifact") else ("",):
            yield {**step, "name": f"{step['name']}-{node}", "targets": [node]} if node else step
