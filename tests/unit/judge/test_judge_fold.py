"""What is read from the events of a playbook, and that nothing in them can break the reading."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_events import (
    crash,
    ended,
    event,
    failed,
    not_proved,
    observed,
    ok,
    proved,
    stats,
    step,
    unreachable,
)

from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.judge.fold import Facts, fold


def only(found: Event) -> Facts:
    return fold(step(), [found])


def test_a_failure_leads_back_to_the_line_of_the_playbook() -> None:
    lines = {"Play": 2, "postgresql": 9, "Install": 12}
    planned = step(lines=lines)
    cases = [("Install", "postgresql", 12), ("Other", "postgresql", 9), ("Other", "", 2)]
    for task, role, line in cases:
        facts = fold(planned, [failed("n11", "no", task=task, role=role, task_action="ansible.builtin.apt")])
        found = facts.failures[0]
        assert (found.playbook, found.playbook_line) == (f"plan/{planned.playbook}", line)
        assert (found.role, found.action) == (role, "apt")
    assert only(failed(play="Elsewhere")).failures[0].playbook_line == 0


def test_a_failure_of_a_task_without_names() -> None:
    nameless = event(Kind.FAILED, "n11", role=None, task=None, play=None, task_action=None)
    found = fold(step(lines={"None": 3}), [nameless]).failures[0]
    assert (found.role, found.task, found.action, found.playbook_line) == ("", "", "", 0)


MESSAGES: dict[str, tuple[dict[str, Any], str, str]] = {
    "message and outputs": ({"msg": "a", "stderr": "b\n", "stdout": "c"}, "", "a\nb\nc"),
    "the same said twice": ({"msg": "a", "stderr": "a"}, "", "a"),
    "only what Ansible printed": ({}, " fatal: a \n", "fatal: a"),
    "nothing": ({"msg": None}, "", "no message"),
    "what a command said": ({"msg": "non-zero return code", "stderr": "b", "rc": 1}, "", "b"),
    "a command that said nothing": ({"msg": "non-zero return code", "rc": 1}, "", "non-zero return code"),
    "outputs without message": ({"stdout": "c", "stderr": "b"}, "", "b\nc"),
    "what ssh adds": ({"stderr": "b\nShared connection to 192.0.2.11 closed.\r\n"}, "", "b"),
    "other things than text": ({"msg": ["a"], "stderr": 7}, "", "['a']\n7"),
}


@pytest.mark.parametrize(("result", "printed", "message"), MESSAGES.values(), ids=MESSAGES)
def test_message_of_a_failure(result: dict[str, Any], printed: str, message: str) -> None:
    found = event(Kind.FAILED, "n11", stdout=printed, res=result)
    assert only(found).failures[0].message == message


STATUSES: dict[str, tuple[dict[str, Any], int | None]] = {
    "a command ended badly": ({"msg": "non-zero return code", "rc": 3}, 3),
    "a module could not be run": ({"msg": "MODULE FAILURE: no space left on device", "rc": 1}, None),
    "no command": ({"msg": "it broke"}, None),
    "no number": ({"msg": "non-zero return code", "rc": "3"}, None),
}


@pytest.mark.parametrize(("result", "status"), STATUSES.values(), ids=STATUSES)
def test_exit_status_of_a_command(result: dict[str, Any], status: int | None) -> None:
    assert only(event(Kind.FAILED, "n11", res=result)).failures[0].rc == status


def test_a_dropped_result_is_an_empty_one() -> None:
    dropped: tuple[object, ...] = (None, [], "gone")
    for result in dropped:
        facts = only(event(Kind.OK, "n11", res=result))
        assert facts.hosts == {"n11"}
        assert not (facts.proofs or facts.observations or facts.results)


TIMES: dict[str, tuple[dict[str, Any], float]] = {
    "duration": ({"duration": 1.5, "start": "x"}, 1.5),
    "start and end": ({"start": "2026-01-01T00:00:00+00:00", "end": "2026-01-01T00:00:02.5+00:00"}, 2.5),
    "AWX's zone": ({"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:01Z"}, 1.0),
    "only one has a zone": ({"start": "2026-01-01T00:00:00", "end": "2026-01-01T00:00:01Z"}, 0.0),
    "no times": ({"start": "now", "end": "then"}, 0.0),
    "nothing": ({}, 0.0),
    "not a number": ({"duration": float("nan")}, 0.0),
    "too large a number": ({"duration": 10**400}, 0.0),
}


@pytest.mark.parametrize(("data", "seconds"), TIMES.values(), ids=TIMES)
def test_seconds_of_a_task(data: dict[str, Any], seconds: float) -> None:
    assert only(event(Kind.OK, "n11", **data)).timings[0].seconds == seconds


def test_slowest_first_and_at_most_five() -> None:
    facts = fold(step(), [ended(Kind.OK, "n11", {}, task=f"t{n}", duration=n % 4) for n in range(8)])
    assert [timing.seconds for timing in facts.slowest] == [3, 3, 2, 2, 1]
    assert [timing.task for timing in facts.slowest] == ["t3", "t7", "t2", "t6", "t1"]


def test_a_task_carries_the_name_of_its_role_once() -> None:
    assert event(Kind.OK, "n11", task="Install", role="postgresql").task == "postgresql : Install"
    assert (
        event(Kind.OK, "n11", task="postgresql : Install", role="postgresql").task == "postgresql : Install"
    )


def test_a_proof_of_odd_shape() -> None:
    facts = only(ok(e2e_proof={"act": 7, "proved": 1, "how": None, "seconds": "soon"}))
    found = facts.proofs[0]
    assert (found.act, found.proved, found.how, found.seconds) == ("7", False, "None", 0.0)


def test_failures_that_looked_for_a_proof_are_kept_apart() -> None:
    owes = fold(crash(), [not_proved()])
    assert (owes.failures, [failure.message for failure in owes.unproved]) == ([], ["not proved"])
    owes_none = fold(step(), [not_proved()])
    assert (owes_none.unproved, [failure.message for failure in owes_none.failures]) == ([], ["not proved"])


def test_expected_is_only_the_silence_of_a_node_that_is_taken_away() -> None:
    facts = fold(crash(), [unreachable("n11"), unreachable("n12"), failed("n11")])
    expected = {(failure.host, failure.kind): failure.expected for failure in facts.failures}
    assert expected == {("n11", "unreachable"): True, ("n12", "unreachable"): False, ("n11", "failed"): False}


def test_registered_is_the_last_output_of_the_first_host_that_has_one() -> None:
    events = [ok("n12", rc=0, stdout="old"), ok("n12", rc=0, stdout="new"), ok("n12")]
    events.append(failed("n11", result={"rc": 1, "stdout": "of a failure"}))
    facts = fold(step(hosts=("n11", "n12")), events)
    assert facts.registered(("n11", "n12")) == {"stdout": "new", "stderr": "", "rc": 0}
    assert facts.registered(("n11",)) is None


def test_what_is_under_way() -> None:
    began = [event(Kind.HOST_START, host, task="Act", role="r") for host in ("n11", "n12")]
    assert fold(step(), [*began, ok("n11")]).under_way == {"n12": "r : Act"}


def test_a_whole_run() -> None:
    facts = fold(step(), [observed("n11"), proved("n11"), event(Kind.WARNING, stdout="old\n"), stats()])
    assert (facts.finished, facts.unmatched, facts.hosts) == (True, False, {"n11"})
    assert facts.observations["n11"].reachable
    assert facts.messages == ["old"]


@pytest.mark.parametrize(
    ("printed", "kept"),
    [
        ("ERROR! no such file", True),
        ("[ERROR]: no such file", True),
        ("\x1b[0;31m[ERROR]: no such file", True),
        ("\x1b[1;31mERROR! no such file", True),
        ("no ERROR! here", False),
        ("[WARNING]: old", False),
    ],
)
def test_errors_among_the_words_of_ansible(printed: str, kept: bool) -> None:
    assert bool(only(event(Kind.VERBOSE, stdout=printed)).messages) is kept


SPEAKING = {
    Kind.OK,
    Kind.FAILED,
    Kind.ERROR,
    Kind.ASYNC_FAILED,
    Kind.SKIPPED,
    Kind.UNREACHABLE,
    Kind.HOST_START,
    Kind.STATS,
    Kind.NO_HOSTS,
    Kind.NO_HOSTS_MATCHED,
    Kind.WARNING,
    Kind.ERROR_MESSAGE,
}


@pytest.mark.parametrize("kind", Kind)
def test_which_kinds_say_something(kind: Kind) -> None:
    facts = only(event(kind, "n11", stdout="words"))
    assert (facts != Facts()) is (kind in SPEAKING)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = [
    "host",
    "task",
    "role",
    "play",
    "res",
    "duration",
    "start",
    "end",
    "failures",
    "rescued",
    "task_action",
]
RESULT_KEYS = ["msg", "stdout", "stderr", "rc", "e2e_proof", "observation"]
PROOFS = st.fixed_dictionaries({}, optional=dict.fromkeys(["act", "proved", "how", "seconds"], JSON))
RESULTS = st.dictionaries(st.sampled_from(RESULT_KEYS), JSON | PROOFS, max_size=4)
DATA = st.dictionaries(st.sampled_from(KEYS), JSON | RESULTS, max_size=6)
ANY_EVENT = st.builds(
    lambda kind, data, stdout: Event.model_validate(
        {"event": kind, "counter": 1, "stdout": stdout, "event_data": data}
    ),
    st.sampled_from(Kind),
    DATA,
    st.text(max_size=8),
)


@given(st.lists(ANY_EVENT, max_size=5))
def test_no_event_breaks_the_reading(events: list[Event]) -> None:
    assert repr(fold(crash(), events)) == repr(fold(crash(), events))


@given(ANY_EVENT)
def test_an_event_is_read_back_as_it_was_written(found: Event) -> None:
    assert Event.model_validate_json(found.line()).line() == found.line()
