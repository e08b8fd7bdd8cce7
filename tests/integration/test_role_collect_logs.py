"""The role collect_logs on real nodes: what it brings, what it leaves out, and a node that is off."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from role_nodes import REPOSITORY, Cluster, cluster

from e2e_ansible.providers.base import Operation

NAMES = ("n11", "n12")
UNPACK = REPOSITORY / "roles/collect_logs/files/unpack.py"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(NAMES, tmp_path_factory.mktemp("inventory")) as made:
        yield made


@pytest.mark.nodes
def test_brings_logs_of_living_nodes_and_the_reason_for_a_dead_one(nodes: Cluster, tmp_path: Path) -> None:
    nodes.ssh(
        "n11",
        "logger canary-in-the-journal; mkdir -p /var/log/postgresql; cd /var/log/postgresql; "
        "echo secret > .pgpass; echo secret > my.pgpass; echo secret > server.key; "
        "head -c 9000 /dev/zero | tr '\\0' a > big.log; echo tail >> big.log",
    )
    nodes.power("n12", Operation.HARD_OFF)
    dest = tmp_path / "logs"
    played = nodes.play("collect_logs", NAMES, collect_logs_dest=str(dest), collect_logs_file_bytes=5000)
    assert played.code == 0, played.output
    print(f"collect_logs with a dead node: {played.seconds:.1f} s")

    there = dest / "n11"
    assert "canary-in-the-journal" in (there / "journal.txt").read_text()
    for name in ("units_failed", "units", "dmesg", "ps", "df", "ip_addr"):
        assert (there / f"{name}.txt").stat().st_size > 0
    big = there / "files/var/log/postgresql/big.log"
    assert big.stat().st_size == 5000
    assert big.read_text().endswith("tail\n")
    assert sorted(path.name for path in big.parent.iterdir()) == ["big.log"]
    assert dest.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in dest.rglob("*"))
    assert nodes.ssh("n11", "ls /var/tmp | grep e2e-logs || true") == ""

    assert [path.name for path in (dest / "n12").iterdir()] == ["UNREACHABLE.txt"]
    assert "ssh" in (dest / "n12/UNREACHABLE.txt").read_text()

    nodes.power("n12", Operation.ON)
    again = nodes.play("collect_logs", NAMES, collect_logs_dest=str(dest))
    assert again.code == 0, again.output
    assert not (dest / "n12/UNREACHABLE.txt").exists()
    assert (dest / "n12/journal.txt").exists()


@pytest.mark.nodes
def test_a_node_that_cannot_gather_leaves_a_note_and_does_not_fail(nodes: Cluster, tmp_path: Path) -> None:
    nodes.ssh("n11", "mv /usr/bin/mktemp /usr/bin/mktemp.away")
    try:
        played = nodes.play("collect_logs", ["n11"], collect_logs_dest=str(tmp_path / "logs"))
    finally:
        nodes.ssh("n11", "mv /usr/bin/mktemp.away /usr/bin/mktemp")
    assert played.code == 0, played.output
    assert (tmp_path / "logs/n11/INCOMPLETE.txt").read_text().strip()


def test_hostile_archive_writes_only_below_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "n11"
    with tarfile.open(tmp_path / "n11.tar.gz", "w:gz") as archive:

        def add(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode = kind, link, 0o6777
            content = b"x" if kind == tarfile.REGTYPE else b""
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))

        add("../outside")
        add(str(tmp_path / "absolute"))
        add("link", tarfile.SYMTYPE, str(tmp_path))
        add("link/through")
        add("hard", tarfile.LNKTYPE, "/etc/passwd")
        add("good")
    subprocess.run([sys.executable, UNPACK, folder, ""], check=True, input=b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["n11"]
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "good",
        "link/through",
    ]
    assert not (folder / "link").is_symlink()
    assert (folder / "good").stat().st_mode & 0o7777 == 0o600
