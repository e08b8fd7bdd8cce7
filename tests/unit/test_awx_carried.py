"""What jobs carry: pieces of histories become the files of a run, whatever comes twice, and nothing is made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.awx import carried
from e2e_ansible.awx.carried import CLIENTS, FAULTS, Carried, Told, pack, pieces, unpack
from e2e_ansible.awx.clients import JobClients
from e2e_ansible.errors import HarnessError
from e2e_ansible.providers.base import Node
from e2e_ansible.run.folder import TestFolder


def result(*parts: tuple[str, int, bytes], **more: Any) -> dict[str, Any]:
    found = [{"name": name, "offset": offset, "data": pack(data)} for name, offset, data in parts]
    return {CLIENTS: {"pieces": found, **more}}


@pytest.fixture
def folder(tmp_path: Path) -> TestFolder:
    return TestFolder(tmp_path)


def test_pieces_are_put_where_they_belong_and_may_come_twice(folder: TestFolder) -> None:
    kept = Carried(folder)
    kept.take(result(("integrity", 0, b"one\n"), ("load", 0, b"load\n")))
    kept.take(result(("integrity", 4, b"two\n")))
    kept.take(result(("integrity", 0, b"one\n")))
    kept.take(result(("integrity", 0, b"one\ntwo\nthree\n"), ("integrity@2", 0, b"new\n")))
    assert folder.history.read_bytes() == b"one\ntwo\nthree\n"
    assert (folder.path / "histories/load.jsonl").read_bytes() == b"load\n"
    assert (folder.path / "history-2.jsonl").read_bytes() == b"new\n"


def test_a_piece_that_is_missing_is_an_error_and_not_a_shorter_history(folder: TestFolder) -> None:
    with pytest.raises(HarnessError, match="7 bytes of the history of integrity were not carried"):
        Carried(folder).take(result(("integrity", 7, b"two\n")))


@pytest.mark.parametrize(
    "found",
    [
        result(("../../etc/passwd", 0, b"x")),
        result(("", 0, b"x")),
        {CLIENTS: {"pieces": [{"name": "a", "offset": 0, "data": "no base64"}]}},
        {CLIENTS: {"sizes": {"../x": 1}}},
        {CLIENTS: {"what": "ever"}},
        {FAULTS: "no base64"},
    ],
)
def test_what_no_job_of_ours_carries_is_refused(folder: TestFolder, found: dict[str, Any]) -> None:
    with pytest.raises(HarnessError, match="cannot be read"):
        Carried(folder).take(found)
    assert not [path for path in folder.path.rglob("*") if path.is_file() and path.stat().st_size]


def test_results_of_other_tasks_carry_nothing(folder: TestFolder) -> None:
    assert Carried(folder).take({"rc": 0, "stdout": "x"}) is None
    assert list(folder.path.iterdir()) == []


def test_the_ledger_is_the_last_one_told(folder: TestFolder) -> None:
    for text in (b"one\n", b"one\ntwo\n"):
        Carried(folder).take({FAULTS: pack(text)})
    assert folder.faults.read_bytes() == b"one\ntwo\n"
    assert unpack(pack(b"")) == b""


def test_a_result_holds_so_much_and_the_rest_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carried, "PIECE_BYTES", 10)
    (tmp_path / "history.jsonl").write_bytes(b"0123456789abcdefghij!")
    found: list[bytes] = []
    offset = 0
    while parts := list(pieces(tmp_path, {"integrity": offset}, {"integrity": 21})):
        found += [unpack(part.data) for part in parts]
        offset = parts[-1].offset + len(found[-1])
    assert found == [b"0123456789", b"abcdefghij", b"!"]


def node(power: str) -> Node:
    return Node(name="n12", address="192.0.2.1", labels=("database",), power=power, variables={})


def known(tmp_path: Path, power: str) -> JobClients:
    """A deployment whose client of rows is on n12, with a history that was fetched before."""
    (tmp_path / "clients.json").write_text('{"nodes": {"integrity": "n12"}, "names": ["integrity"]}')
    (tmp_path / "history.jsonl").write_bytes(b"{}\n")
    return JobClients(tmp_path, lambda: [node(power)])


def test_a_client_that_is_down_with_its_node_is_told_and_its_rows_count(tmp_path: Path) -> None:
    told = known(tmp_path, "off").pause()
    assert (told.still, told.last, told.sizes, told.trouble) == (True, None, {"integrity": 3}, "")
    assert told.said == ("the client integrity on n12 is down with its node; its history ends for now",)
    assert [unpack(piece.data) for piece in told.pieces] == [b"{}\n"]


def test_at_the_end_it_is_only_told_and_the_next_cluster_has_a_history_of_its_own(tmp_path: Path) -> None:
    told = known(tmp_path, "off").stop()
    assert (told.trouble, told.sizes) == ("", {"integrity": 3})
    assert "its history ends where it was fetched last" in told.said[0]
    assert JobClients(tmp_path, lambda: [node("off")]).pause() == Told(cluster=2)


def test_a_client_that_nobody_started_cannot_be_stopped(tmp_path: Path) -> None:
    assert known(tmp_path, "off").stop("load").trouble == "there is no client load to stop"


def test_of_jobs_that_ran_at_once_the_longer_ledger_stays(folder: TestFolder) -> None:
    """They are told in the order of the text, which need not be that of their ends."""
    kept = Carried(folder)
    kept.take({FAULTS: pack(b"one\ntwo\n")})
    kept.take({FAULTS: pack(b"one\n")})
    assert folder.faults.read_bytes() == b"one\ntwo\n"
    kept.take({FAULTS: pack(b"one\ntwo\nthree\n")})
    assert folder.faults.read_bytes() == b"one\ntwo\nthree\n"
