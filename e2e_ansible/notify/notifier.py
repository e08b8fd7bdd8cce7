"""Tells of a run to whoever is to know. A notification that fails never fails or delays the run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from e2e_ansible.deadline import Deadline
from e2e_ansible.notify.courier import Courier, Outcome, Patience
from e2e_ansible.notify.deliveries import Deliveries
from e2e_ansible.notify.mail import send
from e2e_ansible.notify.news import Broken, News, Reporter, Thing, wanted
from e2e_ansible.notify.post import post
from e2e_ansible.notify.scrub import Secrets
from e2e_ansible.notify.target import Hook, Target, host_of
from e2e_ansible.notify.when import NotifyOn
from e2e_ansible.report.notice import Listener, Message, Notice, RunEnded, RunStarted
from e2e_ansible.run.context import Megaphone
from e2e_ansible.soak.records import Record

if TYPE_CHECKING:
    from e2e_ansible.notify.figures import Figures
    from e2e_ansible.notify.spans import Spans, Told

__all__ = ["Notifier", "heard"]

T = TypeVar("T")
_WARNING_SECONDS = 5.0
_WARNINGS = 50


class Notifier:
    """A listener to be entered as a context manager around the run; `record` takes what a soak notes.

    Each target has a queue and a thread of its own. At the end they have `patience.flush_seconds` for what is left.
    What does not arrive is a warning to `warn_to`, and is written down in the run folder.
    """

    def __init__(
        self,
        targets: Sequence[Target] = (),
        *,
        on: NotifyOn = NotifyOn.FAILURE,
        prometheus_file: Path | None = None,
        pushgateway: str = "",
        spans: Spans | None = None,
        secrets: Secrets | None = None,
        patience: Patience | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._on, self._now, self._spans = on, now, spans
        self._patience = patience or Patience()
        self._lock = threading.Lock()
        self._warn_to: Listener | None = None
        self._reporter = Reporter()
        self._begun = self._over = False
        # A warning goes to those who are just telling this one something, so it may not be told in their thread.
        self._warner = Courier[str](
            "warnings", self._warn, str, lambda _: None, patience=self._patience, room=_WARNINGS
        )
        self._deliveries = Deliveries(secrets or Secrets(), self._warner.offer, now)
        self._messengers = [self._messenger(target) for target in targets]
        self._figures: Figures | None = None
        self._writers: list[Courier[Figures]] = []
        self._tracers: list[Courier[Told]] = []
        if spans is not None:
            courier = self._courier(spans.name, spans.deliver, lambda told: _kind(told.thing), routine=True)
            self._tracers.append(courier)
        if prometheus_file is not None or pushgateway:
            self._expose(prometheus_file, pushgateway)

    def warn_to(self, listener: Listener) -> None:
        """Who is told of what did not arrive."""
        self._warn_to = listener

    def __call__(self, notice: Notice) -> None:
        """Tell of one notice; returns at once and never raises."""
        if isinstance(notice, RunStarted):
            self._begun = True
            self._deliveries.write_to(Path(notice.folder))
        self._over = self._over or isinstance(notice, RunEnded)
        self._tell(notice)

    def record(self, record: Record) -> None:
        """Tell of what a soak has noted; returns at once and never raises."""
        self._tell(record)

    def close(self) -> None:
        """Wait for what is under way, not longer than the patience lasts."""
        try:
            self._flush(Deadline(self._patience.flush_seconds))
        except KeyboardInterrupt:  # whoever does not want to wait loses what is left, but no result
            self._flush(Deadline(0))
        self._deliveries.sum_up()
        self._warner.close(Deadline(_WARNING_SECONDS))

    def _flush(self, deadline: Deadline) -> None:
        couriers: list[Courier[Any]] = [*self._messengers, *self._writers, *self._tracers]
        for courier in couriers:
            courier.end()
        for courier in couriers:
            courier.close(deadline)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A run that began and has no result is news as well."""
        if self._begun and not self._over:
            text = f"{type(error).__name__}: {error}" if error else "it did not say why"
            self._tell(Broken(self._now(), text))
        self.close()

    def _tell(self, thing: Thing) -> None:
        with self._lock:
            for part in (self._tell_news, self._tell_figures, self._tell_spans):
                try:
                    part(thing)
                except Exception as error:
                    text = f"{type(error).__name__}: {error}"
                    self._deliveries(Outcome("notifier", _kind(thing), 1, 0, text))

    def _tell_news(self, thing: Thing) -> None:
        news = self._reporter.news(thing, self._now()) if self._messengers else None
        if news is not None and wanted(news, self._on):
            for messenger in self._messengers:
                messenger.offer(news)

    def _tell_figures(self, thing: Thing) -> None:
        if self._figures is not None and self._figures.take(thing):
            for writer in self._writers:
                writer.offer(self._figures)

    def _tell_spans(self, thing: Thing) -> None:
        for tracer in self._tracers:
            told = self._spans.pick(thing) if self._spans is not None else None
            if told is not None:
                tracer.offer(told)

    def _messenger(self, target: Target) -> Courier[News]:
        def deliver(news: News, seconds: float) -> None:
            if isinstance(target, Hook):
                post(target, news, seconds)
            else:
                send(target, news, seconds)

        return self._courier(target.name, deliver, lambda news: news.kind)

    def _expose(self, file: Path | None, gateway: str) -> None:
        from e2e_ansible.notify.exposition import push, write
        from e2e_ansible.notify.figures import Figures

        self._figures = Figures()
        if file is not None:
            name = f"prometheus file {file}"
            self._writers.append(self._writer(name, lambda figures, _: write(file, figures)))
        if gateway:
            name = f"pushgateway {host_of(gateway)}"
            self._writers.append(self._writer(name, lambda figures, seconds: push(gateway, figures, seconds)))

    def _writer(self, name: str, deliver: Callable[[Figures, float], None]) -> Courier[Figures]:
        return self._courier(name, deliver, lambda _: "metrics", routine=True, merge=True)

    def _courier(
        self,
        name: str,
        deliver: Callable[[T, float], None],
        what: Callable[[T], str],
        *,
        routine: bool = False,
        merge: bool = False,
    ) -> Courier[T]:
        return Courier(
            name, deliver, what, self._deliveries, patience=self._patience, routine=routine, merge=merge
        )

    def _warn(self, text: str, _: float) -> None:
        if self._warn_to is not None:
            self._warn_to(Message(at=self._now(), level="warning", text=text))


def _kind(thing: Thing) -> str:
    if isinstance(thing, Broken):
        return "run_broken"
    found = getattr(thing, "kind", "") or getattr(thing, "metric_type", "")
    return str(found)


@contextmanager
def heard(notifier: Notifier | None, view: Listener) -> Iterator[Listener]:
    """A listener that is both; warnings of the notifier go to the view. Without a notifier it is the view alone."""
    if notifier is None:
        yield view
        return
    both = Megaphone([view, notifier])
    notifier.warn_to(both)
    with notifier:
        yield both
