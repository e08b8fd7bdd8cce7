"""Writes down in the run folder what became of each notification, and warns of those that did not arrive."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from e2e_ansible.notify.courier import Outcome
from e2e_ansible.notify.scrub import Secrets
from e2e_ansible.report.words import count, stamp

__all__ = ["FILE", "Deliveries"]

FILE = "notifications.jsonl"
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class Deliveries:
    """Takes outcomes from any thread. `warn` is told of the first failure in a row, and at the end how many there were.

    Nothing of it holds a secret. Of routine, only the first failure in a row is written. A file that cannot be
    written is a warning, once.
    """

    def __init__(self, secrets: Secrets, warn: Callable[[str], None], now: Callable[[], float]) -> None:
        self._secrets, self._warn, self._now = secrets, warn, now
        self._lock = threading.Lock()
        self._file: Path | None = None
        self._all: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._silent: set[str] = set()

    def write_to(self, folder: Path) -> None:
        """The run has a folder now."""
        with self._lock:
            self._file = folder / FILE

    def __call__(self, outcome: Outcome) -> None:
        """Write down one outcome; never raises."""
        error = self._secrets.scrub(outcome.error)
        with self._lock:
            self._all[outcome.courier] += 1
            self._failed[outcome.courier] += bool(error)
            first = bool(error) and outcome.courier not in self._silent
            (self._silent.add if error else self._silent.discard)(outcome.courier)
            worth_a_line = first or not outcome.routine
            trouble = self._append(outcome, error) if worth_a_line else ""
        if first:
            self._warn(f"{outcome.courier}: {outcome.what} was not delivered: {error}")
        if trouble:
            self._warn(trouble)

    def sum_up(self) -> None:
        """Warn of what was not told yet: all failures after the first."""
        for name, failed in self._failed.items():
            if failed > 1:
                number = count(self._all[name], "notification")
                self._warn(f"{name}: {failed} of {number} were not delivered, see {FILE}")

    def _append(self, outcome: Outcome, error: str) -> str:
        if self._file is None:
            return ""
        line = {
            "at": stamp(self._now()),
            "target": outcome.courier,
            "what": outcome.what,
            "delivered": not error,
            "attempts": outcome.attempts,
            "seconds": outcome.seconds,
            "error": error,
        }
        try:
            descriptor = os.open(self._file, _FLAGS, 0o600)
            try:
                os.write(descriptor, json.dumps(line).encode() + b"\n")
            finally:
                os.close(descriptor)
        except OSError as trouble:
            file, self._file = self._file, None
            return f"{file} cannot be written: {trouble.strerror}"
        return ""
