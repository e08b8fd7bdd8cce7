"""Replays recorded event streams in place of Ansible, so that the whole harness runs in seconds without a node."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from e2e_ansible.engine.event import Event
from e2e_ansible.engine.protocol import Cancel, Ended, Outcome, PlayRequest

__all__ = ["FakeEngine", "Recording", "load_recording"]

Recording = tuple[tuple[Event, ...], Outcome]


class FakeEngine:
    """Gives each playbook its recordings in turn; the last one is repeated for further runs of the same playbook."""

    name = "fake"

    def __init__(self, recordings: Mapping[str, Iterable[Recording]]) -> None:
        self._recordings = {playbook: list(queue) for playbook, queue in recordings.items()}
        self.requests: list[PlayRequest] = []

    def run(self, request: PlayRequest, on_event: Callable[[Event], None], cancel: Cancel) -> Outcome:
        """Emit the next recording of the playbook."""
        self.requests.append(request)
        if cancel.is_set:
            return Outcome(ended=Ended.CANCELED, rc=None, message="interrupted")
        queue = self._recordings.get(request.playbook)
        if not queue:
            return Outcome(ended=Ended.ERROR, rc=None, message=f"no recording of {request.playbook}")
        events, outcome = queue.pop(0) if len(queue) > 1 else queue[0]
        for event in events:
            on_event(event)
        return outcome


def load_recording(path: Path) -> Recording:
    """A file of one JSON event per line; a last line with the key `ended` is the outcome, else it completed."""
    outcome = Outcome(ended=Ended.COMPLETED, rc=0)
    events = []
    for line in path.read_bytes().splitlines():  # of bytes: text would be split at U+2028 as well
        record = json.loads(line)
        if "ended" in record:
            outcome = Outcome.model_validate(record)
        else:
            events.append(Event.model_validate(record))
    return tuple(events), outcome
