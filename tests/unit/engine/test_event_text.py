"""Events are written down as JSON, whatever a command has printed."""

from __future__ import annotations

import json

from e2e_ansible.engine.event import Event


def test_lone_surrogates_are_replaced_wherever_they_are() -> None:
    result = {"stdout": "a\udcffb", "lines": ["\ud800", "ok"], "by\udc80": {"rc": 0}, "flag": True}
    raw = {"event": "runner_on_ok", "counter": 3, "stdout": "x\udcffy", "event_data": {"res": result}}
    event = Event.of(raw)
    assert event.stdout == "x\ufffdy"
    assert event.result == {
        "stdout": "a\ufffdb",
        "lines": ["\ufffd", "ok"],
        "by\ufffd": {"rc": 0},
        "flag": True,
    }
    assert json.loads(event.line())["event_data"]["res"] == event.result


def test_other_text_is_left_as_it_is() -> None:
    raw = {"event": "runner_on_ok", "counter": 3, "stdout": "ä€😀\x00\n", "event_data": {"res": {"a": "😀"}}}
    event = Event.of(raw)
    assert (event.stdout, event.result) == ("ä€😀\x00\n", {"a": "😀"})
