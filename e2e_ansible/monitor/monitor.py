"""Looks again and again in a thread of its own, writes down what it sees, and raises alerts."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from e2e_ansible.engine.protocol import Cancel
from e2e_ansible.monitor.episodes import Episodes
from e2e_ansible.monitor.options import DEADLINE_SECONDS, INTERVAL_SECONDS
from e2e_ansible.monitor.snapshot import contexts_of, snapshot
from e2e_ansible.monitor.thresholds import Thresholds
from e2e_ansible.nodes.load import Load
from e2e_ansible.nodes.observation import Observation
from e2e_ansible.report.words import stamp
from e2e_ansible.run.folder import make_private, write_private
from e2e_ansible.soak.records import Alert, AlertRecord, Record, ResourceSnapshot

__all__ = ["DEADLINE_SECONDS", "INTERVAL_SECONDS", "Look", "Monitor"]

_LATE_SECONDS = 5.0
_STOP_SECONDS = 10.0


class Look(Protocol):
    """Looks at all nodes once."""

    def __call__(self, deadline_seconds: float, cancel: Cancel) -> Observation:
        """What was found, within the time, or soon after `cancel` was set. What it raises is an answer as well."""
        ...


@dataclass(frozen=True)
class _Answer:
    number: int
    seen: Observation | None = None
    error: str = ""


class Monitor:
    """Start it, tell it of every phase, stop it. `nodes` are all nodes of the test with their labels.

    `sites` are the primary context and the secondary one, in this order; none: all nodes are one context. `record`
    gets a snapshot each `interval` seconds, and what it means: a line when an alert begins, and one when it ends. Each
    alert is also a file in `alerts`. `past` are the records of the run so far, if it goes on after it was killed.
    Nothing that goes wrong ends it: what first could not be written down is in `trouble`, and `warn` is told of it.
    """

    def __init__(
        self,
        nodes: Mapping[str, Sequence[str]],
        sites: Sequence[str],
        look: Look,
        record: Callable[[Record], None],
        *,
        run_id: str,
        alerts: Path,
        limits: Thresholds,
        interval: float = INTERVAL_SECONDS,
        deadline_seconds: float = DEADLINE_SECONDS,
        past: Iterable[Record] = (),
        now: Callable[[], float] = time.time,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._nodes, self._look, self._interval = nodes, look, interval
        self._record, self._alerts, self._now, self._warn = record, alerts, now, warn
        self._run_id, self._deadline_seconds = run_id, deadline_seconds
        self._episodes = Episodes.resumed(limits, past)
        self._lock = threading.Lock()
        self._cycle, self._phase, self._contexts = 0, "", contexts_of(nodes, sites)
        self._loads: Mapping[str, Load] = {}
        self._cancel = Cancel()
        self._answers: queue.SimpleQueue[_Answer | None] = queue.SimpleQueue()
        self._asked = 0
        self._looking: threading.Thread | None = None
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self.trouble = ""

    def start(self) -> None:
        """Begin to look. Alerts of before have their files, even if the run was killed while it wrote them."""
        for alert in self._episodes.told:
            self._guarded(partial(self._write, alert))
        self._thread.start()

    def cycle(self, number: int, sites: Sequence[str]) -> None:
        """A cycle begins, with the primary context and the secondary one, in this order."""
        with self._lock:
            self._cycle, self._phase, self._contexts = number, "", contexts_of(self._nodes, sites)

    def phase(self, cycle: int, name: str) -> None:
        """What is seen from now on belongs to this phase."""
        with self._lock:
            self._cycle, self._phase = cycle, name

    def stop(self) -> None:
        """Look no more. A look that is under way is cancelled, and has ended when this returns. Safe to repeat."""
        self._cancel.set()
        self._answers.put(None)
        for thread in (self._thread, self._looking):
            if thread is not None and thread.ident is not None:
                thread.join(_STOP_SECONDS)

    @property
    def active(self) -> tuple[Alert, ...]:
        """Alerts that have begun and not ended."""
        with self._lock:
            return self._episodes.active

    def _run(self) -> None:
        while not self._cancel.is_set:
            begin = time.monotonic()
            self._guarded(self._poll)
            self._cancel.wait(max(0.0, self._interval - (time.monotonic() - begin)))

    def _poll(self) -> None:
        begin, at = time.monotonic(), self._now()
        with self._lock:
            cycle, phase, contexts = self._cycle, self._phase, self._contexts
        answer = self._ask()
        if self._cancel.is_set:
            return
        seen = ResourceSnapshot(
            timestamp=stamp(at),
            run_id=self._run_id,
            cycle_num=cycle,
            phase=phase,
            seconds=round(time.monotonic() - begin, 3),
            error=answer.error,
        )
        if answer.seen is not None:
            what = snapshot(answer.seen, contexts, self._loads)
            self._loads = what.loads
            first, second = (*what.contexts, None, None)[:2]
            seen = seen.model_copy(update={"primary": first, "secondary": second, "nodes": what.nodes})
        self._tell(seen)

    def _tell(self, seen: ResourceSnapshot) -> None:
        """Whatever cannot be written down, what was seen counts."""
        self._guarded(partial(self._record, seen))
        with self._lock:
            changed = self._episodes.take(seen)
        for alert in changed:
            line = AlertRecord(
                timestamp=seen.timestamp, run_id=self._run_id, cycle_num=seen.cycle_num, alert=alert
            )
            self._guarded(partial(self._record, line))
            self._guarded(partial(self._write, alert))

    def _write(self, alert: Alert) -> None:
        make_private(self._alerts)
        write_private(self._alerts / f"{alert.alert_id}.json", alert.model_dump_json(indent=1) + "\n")

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # the next look may be written down again
            if not self.trouble:
                self.trouble = f"{type(error).__name__}: {error}"
                with suppress(Exception):  # then nobody listens, and it is in `trouble`
                    self._warn(f"the monitor could not write down what it saw: {self.trouble}")

    # ---- one look, in a thread that may hang without harm

    def _ask(self) -> _Answer:
        if self._looking is not None and self._looking.is_alive():
            return _Answer(self._asked, error="the look before has not come back")
        self._asked += 1
        self._looking = threading.Thread(
            target=self._answer, args=(self._asked,), name="monitor look", daemon=True
        )
        self._looking.start()
        ends = time.monotonic() + self._deadline_seconds + _LATE_SECONDS
        while True:
            try:
                answer = self._answers.get(timeout=max(0.0, ends - time.monotonic()))
            except queue.Empty:
                late = f"no answer within {self._deadline_seconds:g} s"
                return _Answer(self._asked, error=late)
            if answer is None or answer.number == self._asked:
                return answer or _Answer(self._asked, error="stopped")

    def _answer(self, number: int) -> None:
        try:
            self._answers.put(_Answer(number, seen=self._look(self._deadline_seconds, self._cancel)))
        except Exception as error:  # that nothing was seen is an answer, and is written down
            self._answers.put(_Answer(number, error=" ".join(str(error).split()) or type(error).__name__))
