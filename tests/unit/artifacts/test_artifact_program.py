"""Where Stroppy comes from: what is refused, and that nothing of it is left."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e_ansible.artifacts.cache import cached, found
from e2e_ansible.artifacts.download import download
from e2e_ansible.artifacts.stroppy import Source, program
from e2e_ansible.errors import InfrastructureError, UsageError

ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + b"\x3e\x00" + b"\x01" * 40
ARM = ELF[:18] + b"\xb7\x00" + ELF[20:]
GOOD = "a" * 64


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("E2E_ANSIBLE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def packed(folder: Path, *members: tuple[str, bytes | None]) -> Path:
    """A tar.gz of files; None is a folder."""
    path = folder / "release.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            member.size = len(data or b"")
            archive.addfile(member, io.BytesIO(data or b""))
    return path


def left(home: Path) -> list[str]:
    return sorted(path.name for path in home.rglob("*") if path.is_file() and path.suffix != ".lock")


@pytest.mark.parametrize("members", [[("stroppy", ELF)], [("./", None), ("./stroppy", ELF)]])
def test_an_archive_as_releases_are(tmp_path: Path, home: Path, members: Sequence[tuple[str, bytes]]) -> None:
    archive = packed(tmp_path, *members)
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    source = Source(archive=archive.name, folder=str(tmp_path), sha256=sha256)
    assert program(source, "x86_64", only_look=True) is None
    assert left(home) == []
    made = program(source, "x86_64")
    assert made is not None
    assert made.path.read_bytes() == ELF
    assert made.sha256 == hashlib.sha256(ELF).hexdigest()
    assert [path.stat().st_mode & 0o777 for path in (made.path, *made.path.parents[:3])] == [0o700] * 4
    assert program(source, "x86_64", only_look=True) == made


def test_a_program_that_lies_beside_the_suite(tmp_path: Path) -> None:
    for name, data in (("one", ELF), ("two", b"#!/bin/sh\necho\n")):
        (tmp_path / name).write_bytes(data)
        made = program(Source(archive=name, folder=str(tmp_path)), "x86_64")
        assert made is not None
        assert made.path.read_bytes() == data


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ([("stroppy", ELF), ("README.md", b"x")], "has 'README.md' in it, and not just 'stroppy'"),
        ([("../stroppy", ELF)], "has '../stroppy' in it"),
        ([("/stroppy", ELF)], "has '/stroppy' in it"),
        ([("bin", None), ("bin/stroppy", ELF)], "has 'bin' in it"),
        ([], "is empty"),
        ([("stroppy", ARM)], "is for aarch64, and the node is x86_64"),
        ([("stroppy", b"\xcf\xfa\xed\xfe" + bytes(30))], "is a program for macOS"),
        ([("stroppy", b"hello")], "is no program"),
    ],
)
def test_an_archive_that_is_refused(
    tmp_path: Path, home: Path, members: Sequence[tuple[str, bytes]], complaint: str
) -> None:
    source = Source(archive=str(packed(tmp_path, *members)))
    with pytest.raises(InfrastructureError, match=r"release.tar.gz") as caught:
        program(source, "x86_64")
    assert complaint in str(caught.value)
    assert left(home) == []


def test_a_link_in_an_archive_is_not_followed(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "release.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("stroppy")
        member.type, member.linkname = tarfile.SYMTYPE, "/bin/true"
        archive.addfile(member)
    with pytest.raises(InfrastructureError, match="not just 'stroppy'"):
        program(Source(archive=str(path)), "x86_64")
    assert left(home) == []


@pytest.mark.parametrize("cut", [30, 60])
def test_a_damaged_archive(tmp_path: Path, home: Path, cut: int) -> None:
    path = packed(tmp_path, ("stroppy", ELF * 9))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InfrastructureError, match="is damaged"):
        program(Source(archive=str(path)), "x86_64")
    path.write_bytes(gzip.compress(b"no tar" * 900))
    with pytest.raises(InfrastructureError, match="is damaged"):
        program(Source(archive=str(path)), "x86_64")
    assert left(home) == []


def test_other_files_than_were_meant(tmp_path: Path, home: Path) -> None:
    archive = packed(tmp_path, ("stroppy", ELF))
    with pytest.raises(InfrastructureError, match=r"has the SHA-256 [0-9a-f]{64}, and a{64} was expected"):
        program(Source(archive=str(archive), sha256=GOOD), "x86_64")
    with pytest.raises(InfrastructureError, match=r"nowhere\.tar\.gz cannot be read: No such file"):
        program(Source(archive="nowhere.tar.gz", folder=str(tmp_path)), "x86_64")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(InfrastructureError, match=r"is neither a tar\.gz nor a program"):
        program(Source(archive=str(tmp_path / "text")), "x86_64")
    assert left(home) == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (Source(), "none is given"),
        (Source(archive="x", commit="d8fb5897ca07"), "not archive and commit"),
        (Source(url="https://example.org/x"), "url needs sha256"),
        (Source(url="https://example.org/x", sha256="ABC"), "sha256 is 64 digits"),
        (Source(url="file:///x", sha256=GOOD), "a file on this machine is an archive"),
        (Source(url="https://[x", sha256=GOOD), "begins with https://"),
        (Source(url="https://me:word@example.org/x", sha256=GOOD), "url has a login in it"),
        (Source(commit="v5.7.3"), "its tags are no versions of its module"),
        (Source(commit="--help"), "commit is 7 to 40 digits"),
        (Source(commit="d8fb5897ca07", sha256=GOOD), "a commit is its own digest"),
        (Source(archive="x", coverage=True), "give a commit"),
    ],
)
def test_a_source_that_is_not_clear(source: Source, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        program(source, "x86_64")
    assert complaint in str(caught.value)
    assert "word" not in str(caught.value)


# ---- over HTTP


@contextmanager
def serving(data: bytes, *, length: int | None = None) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if "gone" in self.path:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(data) if length is None else length))
            self.end_headers()
            self.wfile.write(data)

        def log_request(self, *_: object) -> None:
            pass

        log_error = log_request

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_release_is_fetched_once(tmp_path: Path) -> None:
    data = packed(tmp_path, ("./stroppy", ELF)).read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    with serving(data) as (address, asked):
        source = Source(url=f"{address}/stroppy.tar.gz", sha256=sha256)
        with ThreadPoolExecutor(4) as all_at_once:
            made = set(all_at_once.map(lambda _: program(source, "x86_64"), range(4)))
    assert len(made) == 1
    assert asked == ["/stroppy.tar.gz"]
    assert program(source, "x86_64") in made  # nobody serves it any more


def test_a_release_that_cannot_be_had(tmp_path: Path, home: Path) -> None:
    with serving(b"other") as (address, _):
        with pytest.raises(InfrastructureError, match=r"has the SHA-256 .* and a{64} was expected"):
            program(Source(url=f"{address}/x?token=hunter2", sha256=GOOD), "x86_64")
        with pytest.raises(InfrastructureError, match="/gone was not given: HTTP 404") as caught:
            program(Source(url=f"{address}/gone?token=hunter2", sha256=GOOD), "x86_64")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(InfrastructureError, match=r"cannot be fetched: .*refused"):
        program(Source(url=f"{address}/x", sha256=GOOD), "x86_64")
    assert left(home) == []


def test_a_download_that_breaks_off(tmp_path: Path) -> None:
    with serving(b"half", length=8) as (address, _), pytest.raises(InfrastructureError) as caught:
        download(f"{address}/x", GOOD, tmp_path / "file", seconds=9)
    assert "4 of 8 bytes" in str(caught.value) or "IncompleteRead" in str(caught.value)


# ---- the cache


def test_what_is_damaged_is_made_again(home: Path) -> None:
    made: list[int] = []

    def make(folder: Path, lock: int) -> None:
        made.append(lock)
        (folder / "file").write_text("right")

    place = cached("kind", "key", make, seconds=5)
    assert cached("kind", "key", make, seconds=5) == place == found("kind", "key")
    (place / "file").write_text("wrong")
    assert found("kind", "key") is None
    assert cached("kind", "key", make, seconds=5) == place
    assert len(made) == 2
    assert (place / "file").read_text() == "right"
    (place / "more").write_text("by hand")
    assert found("kind", "key") is None


def test_what_a_killed_maker_left_is_not_taken_for_whole(home: Path) -> None:
    draft = home / "cache/kind/.unfinished-key"
    draft.mkdir(parents=True)
    (draft / "file").write_text("half")

    def fails(folder: Path, lock: int) -> None:
        assert list(folder.iterdir()) == []
        (folder / "file").write_text("half")
        raise InfrastructureError("no")

    with pytest.raises(InfrastructureError, match="no"):
        cached("kind", "key", fails, seconds=5)
    assert left(home) == []


def test_a_cache_that_cannot_be_used(home: Path) -> None:
    home.write_text("a file")
    with pytest.raises(InfrastructureError, match=r"cache .* cannot be used"):
        cached("kind", "key", lambda folder, lock: None, seconds=5)
