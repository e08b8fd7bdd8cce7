"""What all tests of one run share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from e2e_ansible.engine.protocol import Cancel, Engine
from e2e_ansible.oracle.cycle import Cycle
from e2e_ansible.providers.base import Provider
from e2e_ansible.providers.registry import get_provider
from e2e_ansible.quota.gate import Gate
from e2e_ansible.report.notice import Listener, Message, Notice
from e2e_ansible.suite.model import Keep

__all__ = ["Megaphone", "RunContext", "RunOptions"]


@dataclass(frozen=True)
class RunOptions:
    """How a run is done. `max_nodes` and `budget` bound what is alive at once; `keep` overrides what the tests say.

    `budget` is text as of `--budget`, '' for no bounds.

    `from_plans`: the plans were read from folders, so no suite says anything more.
    """

    parallel: int = 1
    max_nodes: int | None = None
    stop_on_error: bool = False
    keep: Keep | None = None
    verbosity: int = 0
    dry_run: bool = False
    from_plans: bool = False
    budget: str = ""


class Megaphone:
    """Gives every notice to every listener, one notice at a time, whichever thread speaks.

    A listener that raises is told nothing more, and the others are told so: no view can end a run.
    """

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = list(listeners)
        self._lock = threading.Lock()

    def __call__(self, notice: Notice) -> None:
        """Tell everyone. Never raises."""
        with self._lock:
            self._tell(notice)

    def add(self, listener: Listener) -> None:
        """One more listener."""
        with self._lock:
            self._listeners.append(listener)

    def remove(self, listener: Listener) -> None:
        """One listener less, if it is still one."""
        with self._lock, suppress(ValueError):
            self._listeners.remove(listener)

    def _tell(self, notice: Notice) -> None:
        complaints = {id(each): _complaint(each, notice) for each in self._listeners}
        self._listeners = [each for each in self._listeners if not complaints[id(each)]]
        for text in filter(None, complaints.values()):
            self._tell(Message(at=notice.at, level="warning", text=text))


def _complaint(listener: Listener, notice: Notice) -> str:
    """Tell one listener; what it raised, '' if nothing."""
    try:
        listener(notice)
    except Exception as error:
        name = getattr(listener, "__name__", type(listener).__name__)
        return f"{name} failed and is told nothing more: {type(error).__name__}: {error}"
    return ""


@dataclass(frozen=True)
class RunContext:
    """One run. `cancel` ends steps; `abandon`, set by a second interrupt, ends evidence and clean-up as well.

    `gate` is where tests take what they cost. `cycle` is that of a soak. With `lasting_nodes` the nodes outlive the
    test, and whoever runs it removes them.
    """

    run_id: str
    engine: Engine
    options: RunOptions
    environment: Mapping[str, str]
    tell: Megaphone
    cancel: Cancel = field(default_factory=Cancel)
    abandon: Cancel = field(default_factory=Cancel)
    provider: Callable[[str], Provider] = get_provider
    now: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    cycle: Cycle = field(default_factory=Cycle)
    lasting_nodes: bool = False
    gate: Gate | None = None
    _told: set[str] = field(default_factory=set)

    def token(self, folder: str) -> str:
        """What marks the processes of the test with this folder."""
        return f"{self.run_id}/{Path(folder).name}"

    def warn_once(self, text: str) -> None:
        """A warning that is true of many steps."""
        if text not in self._told:
            self._told.add(text)
            self.tell(Message(at=self.now(), level="warning", text=text))
