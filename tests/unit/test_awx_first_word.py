"""A step begins with the word of its job; one that was refused leaves no trace of a step."""

from __future__ import annotations

from typing import Any

import pytest

from e2e_ansible.awx.admission import BEGAN, REFUSED
from e2e_ansible.awx.first_word import READING, FirstWord
from e2e_ansible.engine.event import Event


def event(kind: str, task: str = "", counter: int = 1, **result: Any) -> Event:
    data = {"task": task, "res": result}
    return Event.model_validate({"event": kind, "counter": counter, "created": "", "event_data": data})


class Step:
    def __init__(self) -> None:
        self.seen: list[int | str] = []
        self.word = FirstWord(lambda: self.seen.append("begun"), lambda each: self.seen.append(each.counter))

    def hear(self, *events: Event) -> list[int | str]:
        for each in events:
            self.word(each)
        return self.seen


BEFORE = (
    event("playbook_on_start", counter=1),
    event("playbook_on_play_start", counter=2),
    event("playbook_on_task_start", READING, 3),
    event("runner_on_start", READING, 4),
)


def test_nothing_is_told_before_the_job_has_said_that_it_begins() -> None:
    step = Step()
    assert step.hear(*BEFORE) == []
    step.hear(event("runner_on_ok", READING, 5, **{BEGAN: 7.5}), event("playbook_on_task_start", "x", 6))
    assert step.seen == ["begun", 1, 2, 3, 4, 5, 6]
    assert (step.word.began, step.word.refused) == (7.5, None)


def test_a_step_that_is_refused_is_not_begun() -> None:
    step = Step()
    told = {"why": "time", "text": "over", "used": 301.0}
    step.hear(*BEFORE, event("runner_on_failed", READING, 5, **{REFUSED: told}), event("playbook_on_stats"))
    step.word.go_on()
    assert step.seen == []
    assert step.word.refused is not None


@pytest.mark.parametrize(
    "last",
    [event("runner_on_failed", READING, 5, msg="there is no step"), event("playbook_on_task_start", "x", 5)],
)
def test_a_job_that_failed_otherwise_or_of_another_playbook_is_a_step(last: Event) -> None:
    assert Step().hear(*BEFORE, last) == ["begun", 1, 2, 3, 4, 5]


def test_a_job_that_ended_without_a_word_is_a_step_as_well() -> None:
    step = Step()
    step.hear(*BEFORE[:2])
    step.word.go_on()
    step.word.go_on()
    assert step.seen == ["begun", 1, 2]
