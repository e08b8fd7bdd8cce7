"""Runs tests side by side within a budget of nodes; the order of the suite is the order of starting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from e2e_ansible.engine.protocol import Cancel
from e2e_ansible.errors import UsageError
from e2e_ansible.judge.result import TestResult
from e2e_ansible.verdict import Verdict

__all__ = ["Job", "run_jobs", "within_budget"]


@dataclass(frozen=True)
class Job:
    """One test: how many nodes it makes, and how to run it."""

    name: str
    nodes: int
    run: Callable[[], TestResult]


def within_budget(sizes: Sequence[tuple[str, int]], max_nodes: int | None) -> None:
    """Refuse tests that could never start.

    Raises:
        UsageError: one makes more nodes than the budget has; all such tests are named.
    """
    large = [f"{name} makes {nodes}" for name, nodes in sizes if max_nodes is not None and nodes > max_nodes]
    if large:
        raise UsageError(f"more nodes than the budget of {max_nodes}: {', '.join(large)}", hint="--max-nodes")


def run_jobs(
    jobs: Sequence[Job],
    *,
    parallel: int,
    max_nodes: int | None,
    stop_on_error: bool,
    cancel: Cancel,
) -> list[TestResult]:
    """Run the jobs, at most `parallel` and `max_nodes` nodes at once; returns results in the jobs' order.

    After a cancel, or with `stop_on_error` after the first verdict that is no pass, no other test begins. Tests
    begin strictly in order, so a large one is not starved by small ones.
    """
    waiting = list(enumerate(jobs))
    running: dict[Future[TestResult], tuple[int, int]] = {}
    results: dict[int, TestResult] = {}
    with ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="test") as pool:
        while waiting or running:
            while waiting and _fits(waiting[0][1], running, parallel, max_nodes):
                index, job = waiting.pop(0)
                running[pool.submit(job.run)] = (index, job.nodes)
            done, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
            for future in done:
                index, _nodes = running.pop(future)
                results[index] = future.result()
            failed = any(result.verdict is not Verdict.PASS for result in results.values())
            if cancel.is_set or (stop_on_error and failed):
                waiting.clear()
    return [results[index] for index in sorted(results)]


def _fits(
    job: Job, running: dict[Future[TestResult], tuple[int, int]], parallel: int, max_nodes: int | None
) -> bool:
    alive = sum(nodes for _, nodes in running.values())
    return len(running) < parallel and (max_nodes is None or alive + job.nodes <= max_nodes)
