"""What changed where nothing had to: told with its difference, and a failure of the product."""

from __future__ import annotations

from typing import Any

import pytest
from judge_events import attempt, event, ok, plan, stats, step

from e2e_ansible.engine.event import Kind
from e2e_ansible.judge.attempt import judge_attempt
from e2e_ansible.judge.change import change_words
from e2e_ansible.judge.fold import fold
from e2e_ansible.steps.judgement import Judgement
from e2e_ansible.verdict import Cause, Verdict

FILE = {"before": "a\nb\n", "after": "a\nc\n", "before_header": "/etc/x", "after_header": "/etc/x (new)"}


@pytest.mark.parametrize(
    ("result", "parts"),
    [
        ({"diff": FILE}, ["--- /etc/x", "+++ /etc/x (new)", "-b", "+c"]),
        ({"diff": [FILE, {"prepared": "one package\n"}]}, ["-b", "one package"]),
        ({"diff": {"before": {"mode": "0600"}, "after": {"mode": "0644"}}}, ["-mode: 0600", "+mode: 0644"]),
        (
            {"results": [{"changed": True, "diff": FILE}, {"changed": False, "diff": {"prepared": "no"}}]},
            ["-b"],
        ),
        ({"diff": {"before": "", "after": "\n".join(map(str, range(99)))}}, ["and 82 more lines"]),
        ({}, ["does not tell what"]),
        ({"diff": "odd", "results": "odd"}, ["does not tell what"]),
    ],
)
def test_differences_are_told(result: dict[str, Any], parts: list[str]) -> None:
    words = change_words(result)
    assert [part for part in parts if part not in words] == [], words
    assert "no" not in words.splitlines()


def test_only_changes_in_plays_that_must_not_change_count() -> None:
    planned = step().model_copy(update={"unchanged": ("Again",)})

    def done(play: str, *, changed: bool) -> Any:
        result = {"changed": changed, "diff": FILE}
        return event(Kind.OK, host="n11", task="Write", play=play, res=result)

    events = [done("First", changed=True), done("Again", changed=False), ok("n11"), stats()]
    assert fold(planned, events).changes == []
    (found,) = fold(planned, [*events[:1], done("Again", changed=True), stats()]).changes
    assert (found.kind, found.host, found.task) == ("changed", "n11", "Write")
    assert "-b" in found.message


def test_every_change_where_nothing_had_to_is_told_and_fails_the_step() -> None:
    planned = step(unchanged=("Again",), judgement=Judgement(failure_cause=Cause.PRODUCT))
    changes = [
        event(Kind.OK, host="n11", task=task, play="Again", res={"changed": True, "diff": FILE})
        for task in ("Write", "Restart")
    ]
    found = judge_attempt(plan(planned), planned, attempt(), [*changes, stats()])
    assert (found.verdict, found.cause) == (Verdict.FAIL, Cause.PRODUCT)
    assert found.error is not None
    assert all(words in found.error for words in ("n11: 'Write'", "n11: 'Restart'", "-b", "+c"))
