"""The alerts of a soak as episodes, from the line at their start and the one at their end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from e2e_ansible.soak.records import AlertRecord

__all__ = ["AlertBook", "AlertCount", "Episode", "count_alerts", "moment"]


def moment(text: str) -> datetime:
    """A time of a record; one without a zone is UTC.

    Raises:
        ValueError: it is none.
    """
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class Episode(BaseModel):
    """One alert from the cycle in which it was raised to the one in which it ended; None: it has not ended."""

    model_config = ConfigDict(frozen=True)

    alert: str
    type: str
    context: str
    resource: str
    phase: str
    message: str
    first_cycle: int
    last_cycle: int | None = None
    started: str
    ended: str | None = None

    @property
    def seconds(self) -> float | None:
        """How long it lasted; None while it does."""
        if self.ended is None:
            return None
        return max(0.0, (moment(self.ended) - moment(self.started)).total_seconds())


class AlertCount(BaseModel):
    """How often one kind of alert was raised, in which contexts and phases, and for how many seconds in all."""

    model_config = ConfigDict(frozen=True)

    type: str
    episodes: int
    open: int
    seconds: float
    longest: float
    contexts: dict[str, int]
    phases: dict[str, int]


class AlertBook:
    """Episodes by the id of their alert."""

    def __init__(self) -> None:
        self._episodes: dict[str, Episode] = {}

    def take(self, record: AlertRecord) -> None:
        """One line about an alert.

        Raises:
            ValueError: its times are none.
        """
        alert, known = record.alert, self._episodes.get(record.alert.alert_id)
        episode = Episode(
            alert=alert.alert_id,
            type=alert.alert_type,
            context=alert.context,
            resource=alert.resource,
            phase=known.phase if known else alert.phase,
            message=alert.message or (known.message if known else ""),
            first_cycle=known.first_cycle if known else record.cycle_num,
            last_cycle=record.cycle_num if alert.ended is not None else None,
            started=known.started if known else alert.started,
            ended=alert.ended,
        )
        for text in (episode.started, episode.ended):
            if text is not None:
                moment(text)
        self._episodes[alert.alert_id] = episode

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """All of them, in the order in which they were raised."""
        return tuple(self._episodes.values())


def count_alerts(episodes: Iterable[Episode]) -> tuple[AlertCount, ...]:
    """Counts by type, in order of name."""
    found: dict[str, list[Episode]] = {}
    for one in episodes:
        found.setdefault(one.type, []).append(one)
    return tuple(_count(name, found[name]) for name in sorted(found))


def _count(name: str, episodes: list[Episode]) -> AlertCount:
    lengths = [one.seconds for one in episodes if one.seconds is not None]
    return AlertCount(
        type=name,
        episodes=len(episodes),
        open=len(episodes) - len(lengths),
        seconds=round(sum(lengths), 3),
        longest=max(lengths, default=0.0),
        contexts=dict(sorted(Counter(one.context for one in episodes).items())),
        phases=dict(sorted(Counter(one.phase for one in episodes).items())),
    )
