"""When an alert begins and ends: a state for each thing that may be wrong. Pure; time comes with the snapshots.

An episode begins at the first bad look. When it has lasted for the seconds of its kind, there is one alert. It ends
at the first good look. A look that does not know says nothing: it neither begins an episode nor ends it, and the
time goes on, because nobody saw that it was good.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from e2e_ansible.monitor.thresholds import Key, Sample, Thresholds, samples
from e2e_ansible.soak.records import Alert, AlertRecord, Record, ResourceSnapshot

__all__ = ["Episodes"]

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass
class _Episode:
    """`since` is the time stamp of the first bad look, '' while it is good; `alert` is there once it was raised."""

    since: str = ""
    alert: Alert | None = None
    count: int = 0


class Episodes:
    """All things that may be wrong. What it is given must be in the order of time."""

    def __init__(self, limits: Thresholds) -> None:
        self._limits = limits
        self._known: dict[Key, _Episode] = {}
        self._told_at, self._told = "", list[Alert]()

    @classmethod
    def resumed(cls, limits: Thresholds, records: Iterable[Record]) -> Episodes:
        """As they were when a run ended that has written these records; no alert of them is raised again."""
        made = cls(limits)
        for record in records:
            if isinstance(record, ResourceSnapshot):
                made._look(record)
            elif isinstance(record, AlertRecord):
                made._recall(record)
        return made

    @property
    def told(self) -> tuple[Alert, ...]:
        """Of a run that ended, all that may not have been written to the end: what goes on, and what was told last."""
        found = {alert.alert_id: alert for alert in (*self.active, *self._told)}
        return tuple(found.values())

    @property
    def active(self) -> tuple[Alert, ...]:
        """Alerts that have begun and not ended, the oldest first."""
        begun = (each.alert for each in self._known.values() if each.alert is not None)
        return tuple(sorted(begun, key=lambda alert: alert.started))

    def take(self, seen: ResourceSnapshot) -> list[Alert]:
        """The alerts that begin or end with this look."""
        said: list[Alert] = []
        for sample, episode in self._look(seen):
            if not episode.since and episode.alert is not None:
                said.append(episode.alert.model_copy(update={"ended": seen.timestamp}))
                episode.alert = None
            elif episode.since and episode.alert is None and _lasts(episode.since, seen, sample):
                episode.count += 1
                episode.alert = _alert(sample, episode, seen.phase)
                said.append(episode.alert)
        return said

    def _look(self, seen: ResourceSnapshot) -> list[tuple[Sample, _Episode]]:
        """Begin and end episodes; those about which something is known."""
        touched = []
        for sample in samples(seen, self._limits):
            if sample.bad is None:
                continue
            episode = self._known.setdefault(sample.key, _Episode())
            episode.since = (episode.since or seen.timestamp) if sample.bad else ""
            touched.append((sample, episode))
        return touched

    def _recall(self, record: AlertRecord) -> None:
        alert = record.alert
        self._told = [*self._told, alert] if record.timestamp == self._told_at else [alert]
        self._told_at = record.timestamp
        key = Key(alert.alert_type, alert.context, alert.resource)
        episode = self._known.setdefault(key, _Episode())
        episode.count = max(episode.count, int(alert.alert_id.rpartition("_")[2]))
        if alert.ended is None:
            episode.since, episode.alert = alert.started, alert
        else:
            episode.alert = None


def _lasts(since: str, seen: ResourceSnapshot, sample: Sample) -> bool:
    lasted = datetime.fromisoformat(seen.timestamp) - datetime.fromisoformat(since)
    return lasted.total_seconds() >= sample.seconds


def _alert(sample: Sample, episode: _Episode, phase: str) -> Alert:
    key = sample.key
    parts = [key.alert_type, key.context or "all", key.resource, str(episode.count)]
    return Alert(
        alert_id="_".join(_NOT_IN_A_NAME.sub("-", part) for part in parts),
        alert_type=key.alert_type,
        context=key.context,
        resource=key.resource,
        message=sample.message,
        started=episode.since,
        phase=phase,
        value=sample.value,
        threshold=sample.threshold if sample.threshold is not None else sample.seconds,
    )
