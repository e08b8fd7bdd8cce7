"""The kinds of events are those of ansible-runner, and one line keeps an event."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from e2e_ansible.engine.event import Event, Kind

CALLBACK = "display_callback/callback/awx_display.py"


def callback() -> ast.Module:
    """The source of ansible-runner's callback, which cannot be imported outside of ansible-playbook."""
    found = find_spec("ansible_runner")
    assert found is not None
    assert found.origin is not None
    return ast.parse((Path(found.origin).parent / CALLBACK).read_text())


def captured(source: ast.Module) -> Iterator[str]:
    """`with self.capture_event_data('KIND', ...)`."""
    for call in ast.walk(source):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr == "capture_event_data"
        ):
            yield ast.literal_eval(call.args[0])


def shown(source: ast.Module) -> Iterator[str]:
    """`event = 'verbose'`, and `for key in KINDS: ... event = key`: what Ansible shows outside of a callback."""
    (begin,) = (
        node
        for node in ast.walk(source)
        if isinstance(node, ast.FunctionDef) and node.name == "get_begin_dict"
    )
    for node in ast.walk(begin):
        if isinstance(node, ast.For) and "event = key" in ast.unparse(node):
            yield from ast.literal_eval(node.iter)
        elif isinstance(node, ast.Assign) and ast.unparse(node).startswith("event = '"):
            yield ast.literal_eval(node.value)


def test_kinds_are_those_of_ansible_runner_and_one_of_awx() -> None:
    source = callback()
    callbacks, words = {*captured(source)}, {*shown(source)}
    assert "runner_on_ok" in callbacks
    assert "verbose" in words
    assert {kind.value for kind in Kind} == callbacks | words | {"runner_on_error"}


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_kept_by_its_line(kind: Kind) -> None:
    raw = {
        "event": kind.value,
        "counter": 3,
        "created": "now",
        "stdout": "a\u2028b",
        "event_data": {"host": "n11"},
    }
    event = Event.model_validate(raw)
    assert "\n" not in event.line()
    assert Event.model_validate_json(event.line()) == event
    assert (event.kind, event.host) == (kind, "n11")


@pytest.mark.parametrize("raw", [{"event": "runner_on_new", "counter": 1}, {"event": "verbose"}, {}])
def test_what_is_no_event_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Event.model_validate(raw)


def test_what_only_the_recorder_needs_is_left_out() -> None:
    raw = {"event": "runner_on_ok", "counter": 1, "uuid": "u", "pid": 4, "runner_ident": "run"}
    assert Event.model_validate(raw).line() == (
        '{"event":"runner_on_ok","counter":1,"created":"","stdout":"","event_data":{}}'
    )
