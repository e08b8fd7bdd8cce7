"""One task for many hosts becomes the events that each host would have had."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure

from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.wide import ACTION, Expansion, Log
from e2e_ansible.nodes.wide import run_all, summary

TASK = {"task": "Run", "task_action": ACTION, "task_uuid": "0-1-2", "play": "Play"}
GOOD = {"rc": 0, "stdout": "out", "stderr": "", "changed": True}
BAD = {"rc": 3, "stdout": "", "stderr": "no", "changed": True, "failed": True, "msg": "non-zero return code"}
AWAY = {"unreachable": True, "changed": False, "msg": "Task failed: no way"}
STARTED = (Kind.START, Kind.PLAY_START, Kind.TASK_START)


def raw(counter: int, kind: Kind, **data: Any) -> dict[str, Any]:
    return {"event": kind.value, "counter": counter, "stdout": kind.value, "event_data": data}


def begin(counter: int = 4) -> dict[str, Any]:
    return raw(counter, Kind.HOST_START, **TASK, host="n1")


def end(counter: int = 5, kind: Kind = Kind.OK, *, done: bool = True) -> dict[str, Any]:
    return raw(counter, kind, **TASK, host="n1", res={"done": done, "changed": True})


def write(folder: Path, results: Mapping[str, Mapping[str, Any] | None]) -> Path:
    """What the task would have written; None for a host that has begun."""
    with Log(str(folder), TASK["task_uuid"]) as log:
        for host, result in results.items():
            log.begun(host)
            if result:
                log.ended(host, result, 1.0)
    (file,) = folder.iterdir()
    return file


def expand(folder: Path, events: Sequence[Mapping[str, Any]]) -> list[Event]:
    """All events, those that are left at the end among them; the counters are as a reader needs them."""
    expansion = Expansion(folder)
    found = [Event.of(made) for event in events for made in expansion.events(event)]
    found.extend(map(Event.of, expansion.left()))
    assert [event.counter for event in found] == list(range(1, len(found) + 1))
    assert list(folder.iterdir()) == []
    return found


def before() -> list[dict[str, Any]]:
    return [*(raw(number, kind) for number, kind in enumerate(STARTED, start=1)), begin()]


def test_each_host_gets_its_own_end_with_its_own_result(tmp_path: Path) -> None:
    write(tmp_path, {"n1": GOOD, "n2": BAD, "n3": AWAY})
    found = expand(tmp_path, [*before(), end(5, Kind.FAILED), raw(6, Kind.STATS)])
    ends = [(event.host, event.kind, event.result, event.task) for event in found[4:-1]]
    assert ends == [
        ("n1", Kind.OK, GOOD, "Run"),
        ("n2", Kind.FAILED, BAD, "Run"),
        ("n3", Kind.UNREACHABLE, AWAY, "Run"),
    ]
    assert [event.stdout.partition(" =>")[0] for event in found[4:-1]] == [
        "changed: [n1]",
        "fatal: [n2]: FAILED!",
        "fatal: [n3]: UNREACHABLE!",
    ]
    assert found[-1].kind is Kind.STATS


def test_two_wide_tasks_keep_the_counters_in_order(tmp_path: Path) -> None:
    write(tmp_path, {"n1": GOOD, "n2": GOOD})
    expansion = Expansion(tmp_path)
    events = [*before(), end(5)]
    found = [made for event in events for made in expansion.events(event)]
    write(tmp_path, {"n1": GOOD, "n2": GOOD, "n3": GOOD})
    for event in (begin(6), end(7), raw(8, Kind.STATS)):
        found.extend(expansion.events(event))
    assert [event["counter"] for event in found] == list(range(1, 12))


def test_a_task_that_was_cut_off_tells_who_has_ended_and_who_has_begun(tmp_path: Path) -> None:
    file = write(tmp_path, {"n1": None, "n2": BAD, "n3": None})
    with file.open("a") as more:
        more.write('{"host": "n1", "result": {"rc"')
    found = expand(tmp_path, before())
    assert [(event.host, event.kind) for event in found[4:]] == [
        ("n2", Kind.FAILED),
        ("n1", Kind.HOST_START),
        ("n3", Kind.HOST_START),
    ]


def test_a_task_that_has_run_nothing_keeps_its_event(tmp_path: Path) -> None:
    events = [*before(), end(done=False)]
    assert expand(tmp_path, events) == [Event.of(event) for event in events]


def test_a_task_that_broke_says_so_after_what_it_had_done(tmp_path: Path) -> None:
    write(tmp_path, {"n1": GOOD, "n2": None})
    found = expand(tmp_path, [*before(), end(5, Kind.FAILED, done=False)])
    assert [(event.host, event.kind, event.result) for event in found[4:]] == [
        ("n1", Kind.OK, GOOD),
        ("n1", Kind.FAILED, {"done": False, "changed": True}),
    ]


def test_results_that_are_gone_are_an_error_and_not_a_success(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="gone"):
        expand(tmp_path, [*before(), end()])


def test_whatever_a_command_prints_comes_back_as_it_was(tmp_path: Path) -> None:
    text = "ä€😀\n\u2028\x00\x1b[31m" + "x" * 1_000_000
    write(tmp_path, {"n1": {**GOOD, "stdout": text}})
    assert expand(tmp_path, [*before(), end()])[-1].result["stdout"] == text


def test_other_tasks_are_left_alone(tmp_path: Path) -> None:
    events = [*before()[:3], raw(4, Kind.OK, task="Run", task_action="plain_command", host="n1", res=GOOD)]
    assert expand(tmp_path, events) == [Event.of(event) for event in events]


def test_one_hosts_trouble_is_not_the_others() -> None:
    def away() -> dict[str, Any]:
        raise AnsibleConnectionFailure("no way")

    def broken() -> dict[str, Any]:
        raise OSError("too many open files")

    jobs = {"n1": away, "n2": broken, "n3": lambda: dict(GOOD)}
    with Log("", "none") as log:
        results = run_all(jobs, 2, log)
    assert list(results) == ["n1", "n2", "n3"]
    assert results["n1"] == AWAY
    assert (results["n2"]["failed"], results["n2"]["msg"]) == (True, "Task failed: too many open files")
    assert results["n3"] == GOOD


@pytest.mark.parametrize(("forks", "together"), [(3, 3), (500, 50)])
def test_as_many_as_there_are_forks_run_together_but_no_more_than_one_process_can(
    forks: int, together: int
) -> None:
    meeting = threading.Barrier(together)
    running: set[str] = set()
    most: list[int] = []

    def job(host: str) -> dict[str, Any]:
        running.add(host)
        meeting.wait(timeout=20)  # breaks when fewer come
        most.append(len(running))
        meeting.wait(timeout=20)
        running.discard(host)
        meeting.wait(timeout=20)
        return dict(GOOD)

    with Log("", "none") as log:
        results = run_all({host: partial(job, host) for host in map(str, range(2 * together))}, forks, log)
    assert all(result == GOOD for result in results.values())
    assert set(most) == {together}


def test_the_task_itself_says_in_short_what_came_of_it() -> None:
    assert summary({"n1": dict(GOOD), "n2": dict(GOOD)})["failed"] is False
    said = summary({"n1": dict(GOOD), "n2": dict(BAD), "n3": dict(AWAY)})
    assert (said["failed_hosts"], said["unreachable_hosts"], said["failed"]) == (["n2"], ["n3"], True)
    assert said["msg"] == ("done on 1 of 3 hosts; n2: non-zero return code no; n3: Task failed: no way")
    many = summary({f"n{number}": dict(BAD) for number in range(500)})
    assert many["msg"].endswith("and 490 more")
    assert len(many["msg"]) < 1000
