"""Steps that run beside others: each has a thread, until somebody waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

from e2e_ansible.compile.plan import PlannedStep
from e2e_ansible.run.graph import raise_all

__all__ = ["Background", "runs_beside"]


def runs_beside(step: PlannedStep) -> bool:
    """Whether the steps after it in its list begin before it has ended."""
    return step.background or step.watch


@dataclass
class _Beside:
    step: PlannedStep
    over: Event = field(default_factory=Event)
    thread: Thread | None = None
    error: BaseException | None = None

    def join(self) -> None:
        """Wait for its end; a step that watches is told that it is over."""
        if self.step.watch:
            self.over.set()
        if self.thread is not None:
            self.thread.join()
        if self.error is not None:
            error, self.error = self.error, None
            raise error


class Background:
    """Those of one test. Any thread may call."""

    def __init__(self) -> None:
        self._beside: dict[str, _Beside] = {}
        self._lock = Lock()

    def begin(self, step: PlannedStep, do: Callable[[Event], None]) -> None:
        """Begin a step; `do` gets what tells a step that watches that it is over. `join` raises what it raised."""
        beside = _Beside(step)

        def run() -> None:
            try:
                do(beside.over)
            except BaseException as error:  # raised again where it is joined
                beside.error = error

        beside.thread = Thread(target=run, name=step.id)
        with self._lock:  # who joins finds none that was not started
            beside.thread.start()
            self._beside[step.id] = beside

    def join(self, steps: Iterable[str] | None = None) -> None:
        """Wait for all of them, whatever the first of them raises; None: for all that were begun.

        Raises:
            Exception: what went wrong outside their playbooks.
        """
        with self._lock:
            names = self._beside if steps is None else steps
            found = [self._beside[name] for name in names if name in self._beside]
        errors: list[BaseException] = []
        for beside in found:
            try:
                beside.join()
            except BaseException as error:
                errors.append(error)
        raise_all(errors)
