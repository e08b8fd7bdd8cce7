"""What a test writes down is on the disk at once, whole lines only, and what cannot be read is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flow_runs import command, run
from run_limits import files_end_at

from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.errors import HarnessError
from e2e_ansible.judge.entry import (
    AttemptEnded,
    CleanUpEnded,
    CustomOutcome,
    Entry,
    Evidence,
    Interrupted,
    StepStarted,
    TestEnded,
    TestStarted,
    Trouble,
)
from e2e_ansible.run.journal import EventLog, Journal, read_events, read_journal

ENTRIES: list[Entry] = [
    TestStarted(at=1.25, deployment="case-1", plan_hash="hash"),
    StepStarted(at=2, step="01-look"),
    AttemptEnded(
        at=3,
        step="01-look",
        attempt=1,
        outcome=Outcome(ended=Ended.COMPLETED, rc=0, message='one\ntwo\u2028three "four"'),
        acknowledged=((1, 9), (12, 12)),
        custom={"mine:é": CustomOutcome(passed=None, message="?")},
    ),
    Trouble(at=4, message="é\r\n", infrastructure=True),
    Interrupted(at=5),
    Evidence(at=6, folder="evidence", message="logs"),
    CleanUpEnded(at=7, ok=True, kept=False, message="removed"),
    TestEnded(at=8),
]
EVENTS = [
    Event(
        event=Kind.OK,
        counter=1,
        stdout="one\ntwo\u2028\u0085three",
        event_data={"host": "n11", "res": {"rc": 0}},
    ),
    Event(event=Kind.STATS, counter=2),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def written(file: Path, *entries: Entry) -> None:
    with closing(Journal(file)) as journal:
        for entry in entries:
            journal.append(entry)


def test_entries_are_read_back_as_they_were_written(file: Path) -> None:
    written(file, *ENTRIES)
    assert read_journal(file) == ENTRIES
    assert file.read_bytes().count(b"\n") == len(ENTRIES)


def test_a_journal_that_is_opened_again_goes_on(file: Path) -> None:
    for entry in ENTRIES:
        written(file, entry)
    assert read_journal(file) == ENTRIES


def test_each_entry_is_on_the_disk_before_append_returns(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[list[Entry]] = []
    sync = os.fdatasync

    def look(descriptor: int) -> None:
        synced.append(read_journal(file))
        sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", look)
    written(file, *ENTRIES[:3])
    assert synced == [ENTRIES[:1], ENTRIES[:2], ENTRIES[:3]]


def test_only_its_owner_may_read_a_journal(file: Path) -> None:
    before = os.umask(0)
    try:
        written(file, ENTRIES[0])
        EventLog(file.with_name("events.jsonl")).close()
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in file.parent.iterdir()} == {0o600}


def test_events_are_kept_by_step_and_attempt(file: Path) -> None:
    with closing(EventLog(file)) as log:
        log.append("01-look", 1, EVENTS[0])
        log.append('02-"odd"\nstep', 3, EVENTS[1])
        log.append("01-look", 1, EVENTS[1])
    assert read_events(file) == {("01-look", 1): EVENTS, ('02-"odd"\nstep', 3): EVENTS[1:]}


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "none") == []
    assert read_events(tmp_path / "none") == {}


# a full disk


@pytest.fixture
def filled(file: Path) -> Iterator[int]:
    """A journal of two entries, and its size."""
    written(file, *ENTRIES[:2])
    yield file.stat().st_size


@pytest.mark.parametrize("room", [0, 1, 40], ids=["no room", "room for a byte", "room for half a line"])
def test_an_entry_that_does_not_fit_leaves_no_trace(file: Path, filled: int, room: int) -> None:
    with closing(Journal(file)) as journal:
        with files_end_at(filled + room), pytest.raises(OSError, match="too large"):
            journal.append(ENTRIES[2])
        assert file.stat().st_size == filled
        journal.append(ENTRIES[3])
    assert read_journal(file) == [*ENTRIES[:2], ENTRIES[3]]


def test_an_event_that_does_not_fit_leaves_no_trace(file: Path) -> None:
    with closing(EventLog(file)) as log:
        log.append("01-look", 1, EVENTS[0])
        with files_end_at(file.stat().st_size + 50), pytest.raises(OSError, match="too large"):
            log.append("01-look", 1, EVENTS[0])
        log.append("01-look", 1, EVENTS[1])
    assert read_events(file) == {("01-look", 1): EVENTS}


# damage

DAMAGED = {
    "no JSON": b"{oops}\n",
    "an empty line": b"\n",
    "zeros, as a power cut leaves them": b"\0\0\0\0\n",
    "no UTF-8": b'"\xff"\n',
    "no object": b"[1]\n",
    "an unknown kind": b'{"kind":"new","at":1}\n',
    "an unknown key": b'{"kind":"test_ended","at":1,"more":2}\n',
    "half an entry in the middle": b'{"kind":"test_en\n',
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_line_is_named(file: Path, line: bytes) -> None:
    written(file, ENTRIES[0])
    whole = file.read_bytes()
    file.write_bytes(whole + line + whole)
    with pytest.raises(HarnessError) as caught:
        read_journal(file)
    assert str(caught.value) == f"{file}:2: this is no journal entry"
    with pytest.raises(HarnessError, match="this is no event"):
        read_events(file)


EVENT = EVENTS[1].line().encode()
DAMAGED_EVENTS = {
    "without its step": b'{"attempt":1,"event":%s}\n' % EVENT,
    "without its event": b'{"step":"s","attempt":1}\n',
    "no number of an attempt": b'{"step":"s","attempt":"x","event":%s}\n' % EVENT,
    "an attempt that is a list": b'{"step":"s","attempt":[],"event":%s}\n' % EVENT,
    "an unknown kind": b'{"step":"s","attempt":1,"event":{"event":"new","counter":1}}\n',
}


@pytest.mark.parametrize("line", DAMAGED_EVENTS.values(), ids=DAMAGED_EVENTS)
def test_a_damaged_event_is_named(file: Path, line: bytes) -> None:
    file.write_bytes(line)
    with pytest.raises(HarnessError) as caught:
        read_events(file)
    assert str(caught.value) == f"{file}:1: this is no event"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for read in (read_journal, read_events):
        with pytest.raises(HarnessError, match="cannot be read: is a directory"):
            read(tmp_path)


def test_what_an_end_rests_on_is_on_the_disk_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a machine that goes down would leave an attempt that ended, and nothing of what was seen in it."""
    synced: list[str] = []

    def sync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        os.fsync(descriptor)

    monkeypatch.setattr(os, "fdatasync", sync)
    ran = run(tmp_path, [command("a")])
    lines = [entry.kind for entry in ran.journal()]
    journal = [place for place, name in enumerate(synced) if name == "journal.jsonl"]
    assert synced[journal[lines.index("attempt_ended")] - 1] == "events.jsonl"
