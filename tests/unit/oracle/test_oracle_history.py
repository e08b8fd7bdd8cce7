"""Reading histories and configurations, whole, torn and broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_ansible.errors import HarnessError, UsageError
from e2e_ansible.oracle.config import ClientConfig, load, save
from e2e_ansible.oracle.history import Event, Record, acknowledged, marks, parse, unknown_ids
from e2e_ansible.oracle.history_file import HistoryFile
from e2e_ansible.oracle.session import is_sure, scrub


def record(event: Event, row: int | None = None, **facts: int) -> Record:
    return Record(event=event, wall=1, mono=2, id=row, **facts)


HISTORY = [
    record(Event.START),
    record(Event.INVOKED, 1),
    record(Event.OK, 1),
    record(Event.INVOKED, 2),
    record(Event.FAIL, 2),
    record(Event.INVOKED, 3),
    record(Event.UNKNOWN, 3),
    record(Event.PAUSE, mark=1, last=3),
    record(Event.INVOKED, 4),
    record(Event.OK, 4),
    record(Event.INVOKED, 5),
]


def test_sets_of_a_history() -> None:
    assert acknowledged(HISTORY) == ((1, 1), (4, 4))
    assert acknowledged(HISTORY, upto=3) == ((1, 1),)
    assert unknown_ids(HISTORY) == (3, 5)
    assert marks(HISTORY) == {1: 3}
    assert acknowledged([]) == ()


@given(st.integers(0, 5000))
def test_a_history_cut_anywhere_can_be_read(end: int) -> None:
    data = b"".join(note.line() for note in HISTORY)
    read = list(parse(data[:end]))
    assert read == HISTORY[: len(read)]
    assert len(read) == data[:end].count(b"\n")


@pytest.mark.parametrize("line", [b"{", b"", b"[]", b'{"event":"nap","wall":1,"mono":1}', b"\xff"])
def test_a_broken_line_inside_is_told_with_its_number(line: bytes) -> None:
    with pytest.raises(HarnessError, match="line 2 of the history"):
        list(parse(HISTORY[0].line() + line + b"\n" + HISTORY[1].line()))


@given(st.text())
def test_any_error_text_is_one_line(text: str) -> None:
    note = Record(event=Event.FAIL, wall=1, mono=1, id=1, error=text.encode("utf-8", "replace").decode())
    assert note.line().count(b"\n") == 1
    assert list(parse(note.line())) == [note]


def test_a_history_file_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_bytes(b"".join(note.line() for note in HISTORY) + b'{"event":"invoked","wa')
    file = HistoryFile(path)
    assert (file.last, file.mark) == (5, 1)
    file.note(Event.INVOKED, id=6)
    assert [note.id for note in parse(path.read_bytes())][-2:] == [5, 6]


@pytest.mark.parametrize("content", [b"", b'{"torn', HISTORY[0].line()])
def test_a_history_without_rows_begins_at_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "history"
    path.write_bytes(content)
    assert (HistoryFile(path).last, path.read_bytes()) == (0, content if content.endswith(b"\n") else b"")


@pytest.mark.parametrize(
    ("severity", "sqlstate", "sure"),
    [
        ("ERROR", "23505", True),
        ("ERROR", "25006", True),
        ("ERROR", "57014", True),
        ("ERROR", "57P01", False),
        ("FATAL", "25006", False),
        ("PANIC", "58030", False),
        ("ERROR", "58030", False),
        ("ERROR", "08006", False),
        ("ERROR", "40003", False),
        ("ERROR", "XX000", False),
        ("ERROR", "", False),
        ("", "", False),
    ],
)
def test_only_a_sure_rollback_is_a_failure(severity: str, sqlstate: str, sure: bool) -> None:
    assert is_sure(severity, sqlstate) is sure


@pytest.mark.parametrize(
    ("text", "secret", "clean"),
    [
        ("password abc wrong\n  twice abc", "abc", "password *** wrong twice ***"),
        (r"password=a\'b\\c", "a'b\\c", "password=***"),
        ("nothing to hide", "", "nothing to hide"),
        ("x" * 400, "y", "x" * 300),
    ],
)
def test_scrub(text: str, secret: str, clean: str) -> None:
    assert scrub(text, secret) == clean


def test_a_configuration_survives_its_file_and_is_private(tmp_path: Path) -> None:
    config = ClientConfig(hosts=("192.0.2.1", "192.0.2.2"), history=tmp_path / "history")
    for _ in range(2):
        save(config, tmp_path / "config")
    assert load(tmp_path / "config") == config
    assert (tmp_path / "config").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["config"]
    assert (config.rate, config.statement_timeout_seconds, config.connect_timeout_seconds) == (20, 3, 2)
    assert config.attempt_seconds == 12


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        ('{"hosts": [], "history": "h"}', 0o600, "hosts"),
        ('{"hosts": ["a"], "history": "h", "pasword": "x"}', 0o600, "pasword"),
        ("{", 0o600, "no configuration"),
        ('{"hosts": ["a"], "history": "h"}', 0o640, "has mode 0640"),
    ],
)
def test_bad_configurations(tmp_path: Path, content: str, mode: int, message: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(UsageError, match=message):
        load(path)


def test_a_missing_configuration(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path / "none")
