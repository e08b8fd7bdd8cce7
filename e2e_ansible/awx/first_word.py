"""The events of a job until it has said whether its step begins: a step that was not begun leaves no trace of one."""

from __future__ import annotations

from collections.abc import Callable

from e2e_ansible.awx.admission import Refused, began_of, refused_of
from e2e_ansible.engine.event import Event, Kind

__all__ = ["READING", "FirstWord"]

#: The task of playbooks/step.yml that reads the step, and says it.
READING = "Read what is to be done, where and how"
_SAID = frozenset({Kind.OK, Kind.FAILED})


class FirstWord:
    """Holds events back until it is known that the step begins; then `begin` is called, and `take` for each of them.

    `refused` is why it does not begin. `began` is when the steps of its test were begun, if that matters to it.
    """

    def __init__(self, begin: Callable[[], None], take: Callable[[Event], None]) -> None:
        self.refused: Refused | None = None
        self.began: float | None = None
        self._begin = begin
        self._take = take
        self._held: list[Event] | None = []

    def __call__(self, event: Event) -> None:
        """Take the next event of the job."""
        if self._held is None:
            self._take(event)
            return
        self._held.append(event)
        if event.task == READING and event.kind in _SAID:
            self.refused, self.began = refused_of(event.result), began_of(event.result)
            if self.refused is None:
                self.go_on()
        elif event.task not in ("", READING):  # another playbook
            self.go_on()

    def go_on(self) -> None:
        """The step begins, or its job has ended without a word."""
        if self._held is None or self.refused is not None:
            return
        held, self._held = self._held, None
        self._begin()
        for event in held:
            self._take(event)
