"""What all tests of one run share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from e2e_ansible.engine.protocol import Cancel, Engine
from e2e_ansible.providers.base import Provider
from e2e_ansible.providers.registry import get_provider
from e2e_ansible.run.notice import Listener, Notice
from e2e_ansible.suite.model import Keep

__all__ = ["Megaphone", "RunContext", "RunOptions"]


@dataclass(frozen=True)
class RunOptions:
    """How a run is done. `max_nodes` bounds the nodes alive at once; `keep` overrides what the tests say."""

    parallel: int = 1
    max_nodes: int | None = None
    stop_on_error: bool = False
    keep: Keep | None = None
    verbosity: int = 0
    dry_run: bool = False


class Megaphone:
    """Gives every notice to every listener, one notice at a time, whichever thread speaks."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = list(listeners)
        self._lock = threading.Lock()

    def __call__(self, notice: Notice) -> None:
        """Tell everyone."""
        with self._lock:
            for listener in self._listeners:
                listener(notice)

    def add(self, listener: Listener) -> None:
        """One more listener."""
        with self._lock:
            self._listeners.append(listener)

    def remove(self, listener: Listener) -> None:
        """One listener less."""
        with self._lock:
            self._listeners.remove(listener)


@dataclass(frozen=True)
class RunContext:
    """One run. `cancel` ends steps; `abandon`, set by a second interrupt, ends evidence and clean-up as well."""

    run_id: str
    engine: Engine
    options: RunOptions
    environment: Mapping[str, str]
    tell: Megaphone
    cancel: Cancel = field(default_factory=Cancel)
    abandon: Cancel = field(default_factory=Cancel)
    provider: Callable[[str], Provider] = get_provider
    now: Callable[[], float] = time.time
