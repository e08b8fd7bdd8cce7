"""The repository of the PostgreSQL project, played by a server of this test on the loopback."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.plan import Plan
from e2e_ansible.errors import InfrastructureError, ProviderError, UsageError
from e2e_ansible.providers import pgdg
from e2e_ansible.providers.local.image import image_key, recipe
from e2e_ansible.providers.pgdg import address, image_hooks, offered
from e2e_ansible.providers.releases import Release
from e2e_ansible.run.requirements import check_requirements
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.vocabulary import Vocabulary

PACKAGES = "".join(
    f"Package: {name}\nVersion: 1\n\n"
    for name in ("postgresql-16", "postgresql-18", "postgresql-16-cron", "postgresql-client-13")
)
LIST = "/dists/bookworm-pgdg/main/binary-"


def planned(text: str) -> tuple[Plan, ...]:
    words = Vocabulary.default()
    suite = parse_suite(text.encode(), "suite.yaml", vocabulary=words)
    return compile_suite(suite, words.step_types)


class Repository(ThreadingHTTPServer):
    """Answers with `content`, or with a status; counts the requests by path."""

    content: bytes = gzip.compress(PACKAGES.encode())
    asked: list[str]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked = []


class _Handler(BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        found = self.path.startswith(LIST)
        self.send_response(200 if found else 404)
        self.end_headers()
        if found:
            self.wfile.write(self.server.content)

    def log_message(self, *words: object) -> None:
        """Nothing is told on the terminal of the tests."""


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Repository]:
    server = Repository()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv(pgdg.MIRROR, f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("E2E_ANSIBLE_HOME", str(tmp_path / "home"))
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_the_repository_has_is_asked_once(repository: Repository, tmp_path: Path) -> None:
    assert offered("bookworm", tmp_path) == ("16", "18")
    assert offered("bookworm", tmp_path) == ("16", "18")
    (path,) = repository.asked
    assert path.startswith(LIST)
    assert path.endswith("/Packages.gz")


def test_an_old_or_broken_answer_is_asked_again(repository: Repository, tmp_path: Path) -> None:
    offered("bookworm", tmp_path)
    (kept,) = (tmp_path / "cache").iterdir()
    said = json.loads(kept.read_text())
    others = ({**said, "asked": said["asked"] - 7200}, {**said, "place": "x"})
    for text in ("", "{", "[]", *map(json.dumps, others)):
        kept.write_text(text)
        assert offered("bookworm", tmp_path) == ("16", "18")
    assert len(repository.asked) == 6


def test_what_cannot_be_had_is_told(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"trixie-pgdg.* answers 404"):
        offered("trixie", tmp_path)
    repository.content = b"no gzip"
    with pytest.raises(ProviderError, match="cannot be read"):
        offered("bookworm", tmp_path)
    repository.content = gzip.compress(PACKAGES.encode())[:-9]
    with pytest.raises(ProviderError, match="cannot be read"):
        offered("bookworm", tmp_path)
    repository.shutdown()
    repository.server_close()
    with pytest.raises(ProviderError, match=r"cannot be reached: .*refused"):
        offered("bookworm", tmp_path)
    assert not (tmp_path / "cache").exists()


def test_one_that_never_ends_is_given_up(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgdg, "_MOST_BYTES", 10)
    with pytest.raises(ProviderError, match="took longer"):
        offered("bookworm", tmp_path)


@pytest.mark.parametrize("given", ["file:///etc", "http://a b", 'http://x/"; id', "ftp://x"])
def test_an_address_is_one(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pgdg.MIRROR, given)
    with pytest.raises(UsageError, match="no address"):
        address()


def test_an_image_with_a_server_of_pgdg_is_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(pgdg.MIRROR, raising=False)
    monkeypatch.delenv(pgdg.KEY, raising=False)
    plain, more = Release("bookworm"), Release("bookworm", "16")
    assert image_hooks(plain) == ()
    text = " ".join(recipe(more))
    assert "install postgresql-16 pgbackrest" in text
    assert "signed-by=/usr/share/postgresql-common/pgdg/" in text
    assert "bookworm-pgdg main" in text
    assert "pgdg" not in " ".join(recipe(plain))
    keys = {
        image_key(release) for release in (plain, more, Release("bookworm", "18"), Release("trixie", "16"))
    }
    assert len(keys) == 4
    monkeypatch.setenv(pgdg.KEY, "/a key.asc")
    assert "install -D -m 644 '/a key.asc'" in " ".join(recipe(more))


def test_a_version_that_is_nowhere_is_refused_before_anything_starts(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = "{cluster_size: 1, database: standalone, postgres_version: '${matrix.v}'}"
    suite = "matrix: {v: [13, 15, 16, 17, 18]}\n"
    suite += f"parameters: {parameters}\nworkflow: [{{step: init}}]\n"
    plans = planned(suite)
    with pytest.raises(InfrastructureError) as refused:
        check_requirements(plans, tmp_path)
    assert str(refused.value).splitlines()[1:] == [
        "suite.yaml:1: test suite[v=13]: PostgreSQL 13 is not in PGDG for bookworm; there are 16, 18"
    ]
    assert refused.value.hint == "nothing was started"
    assert len(repository.asked) == 1
    monkeypatch.setenv(pgdg.MIRROR, "http://127.0.0.1:1")
    with pytest.raises(InfrastructureError) as refused:
        check_requirements(plans, tmp_path)
    lines = str(refused.value).splitlines()[1:]
    assert [line.split(": ")[1] for line in lines] == [f"test suite[v={version}]" for version in (13, 16, 18)]
    assert all("Debian 12 has 15, Debian 13 has 17), and http://127.0.0.1:1/" in line for line in lines)


def test_an_image_that_is_built_needs_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pgdg.MIRROR, "http://127.0.0.1:1")
    monkeypatch.setenv("E2E_ANSIBLE_HOME", str(tmp_path))
    (tmp_path / "images" / image_key(Release("bookworm", "16"))).mkdir(parents=True)
    check_requirements(planned("parameters: {postgres_version: 16}\nworkflow: [{step: init}]\n"), tmp_path)
