"""What arrives: on a node whole or not at all, from a node nowhere but where it belongs."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.artifacts.delivery import Hands, look, place, version
from e2e_ansible.artifacts.folder import bring_folder
from e2e_ansible.artifacts.install import deliver
from e2e_ansible.artifacts.packages import Wanted, machine_of
from e2e_ansible.artifacts.stroppy import Program, Source
from e2e_ansible.errors import InfrastructureError, UsageError


def execute(words: str) -> dict[str, Any]:
    done = subprocess.run(words, shell=True, capture_output=True, text=True, check=False)
    return {"rc": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def a_program(path: Path, text: str) -> Program:
    path.write_text(f"#!/bin/sh\n{text}\n")
    return Program(path, hashlib.sha256(path.read_bytes()).hexdigest(), path.name)


def test_a_program_comes_to_its_place_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "bin/it's stroppy"
    hands = Hands(execute, str)
    made = a_program(tmp_path / "new", "echo stroppy   v1; echo pgx v5")
    place(hands, made, str(target), stored=False)
    assert version(hands, str(target)) == "stroppy v1, pgx v5"
    seen = look(hands, str(target))
    assert (seen.installed, seen.mode) == (made.sha256, "755")
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize("path", ["", "stroppy", "bin/stroppy", "/usr/local/bin/", "~/stroppy"])
def test_a_path_that_is_no_place_is_refused_before_anything_is_done(path: str) -> None:
    def never(words: str) -> dict[str, Any]:
        raise AssertionError(words)

    with pytest.raises(UsageError, match=r"such as /usr/local/bin/stroppy, not '"):
        deliver(Hands(never, str), Source(archive="/a"), path, install=True, only_look=False)


@pytest.mark.parametrize(
    ("text", "cut", "complaint"),
    [
        ("echo it needs a library >&2; exit 127", 0, "it needs a library"),
        ("echo fine", 4, "it arrived damaged"),
    ],
)
def test_what_is_broken_leaves_what_was_there(tmp_path: Path, text: str, cut: int, complaint: str) -> None:
    target = tmp_path / "bin/stroppy"
    target.parent.mkdir()
    target.write_text("old")

    def transfer(path: Path) -> str:
        arrived = tmp_path / "arrived"
        shutil.copy(path, arrived)
        arrived.write_bytes(path.read_bytes()[: -cut or None])
        return str(arrived)

    made = a_program(tmp_path / "new", text)
    with pytest.raises(InfrastructureError, match=f"could not install new: .*{complaint}"):
        place(Hands(execute, transfer), made, str(target), stored=False)
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["stroppy"]


def test_a_node_without_the_program(tmp_path: Path) -> None:
    seen = look(Hands(execute, str), str(tmp_path / "nothing"))
    assert (seen.installed, seen.mode) == ("-", "-")
    assert seen.machine


# ---- a folder of a node


def brought(folder: Path, target: Path) -> int:
    return bring_folder(Hands(execute, str), shutil.copy, str(folder), target)


def test_a_folder_comes_with_all_that_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "there/below").mkdir(parents=True)
    for name in ("one", "below/two"):
        (tmp_path / "there" / name).write_text(name)
    (tmp_path / "there/link").symlink_to("/etc/hostname")
    assert brought(tmp_path / "there", tmp_path / "here") == 2
    assert (tmp_path / "here/below/two").read_text() == "below/two"
    assert not (tmp_path / "here/link").exists()
    assert brought(tmp_path / "missing", tmp_path / "none") == 0
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside"])
def test_a_node_cannot_write_outside(tmp_path: Path, name: str) -> None:
    def fetch(_: str, here: Path) -> None:
        with tarfile.open(here, "w:gz") as archive:
            member = tarfile.TarInfo(name if name[0] != "/" else str(tmp_path / "outside"))
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))

    hands = Hands(lambda words: {"rc": 0, "stdout": "some\n", "stderr": ""}, str)
    target = tmp_path / "here"
    try:
        bring_folder(hands, fetch, "/srv/coverage", target)
    except InfrastructureError as error:
        assert "cannot be unpacked" in str(error)
    assert not (tmp_path / "outside").exists()


def test_what_breaks_off_on_the_way_is_told(tmp_path: Path) -> None:
    def fetch(_: str, here: Path) -> None:
        here.write_bytes(b"\x1f\x8b half")

    hands = Hands(lambda words: {"rc": 0, "stdout": "some\n", "stderr": ""}, str)
    with pytest.raises(InfrastructureError, match="cannot be unpacked"):
        bring_folder(hands, fetch, "/srv/coverage", tmp_path / "here")
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]


# ---- packages


def test_the_key_of_packages_is_of_their_names_and_the_image() -> None:
    one = Wanted(("b", "a"), "bookworm-amd64").key
    assert one == Wanted(("a", "b"), "bookworm-amd64").key
    assert len({one, Wanted(("a",), "bookworm-amd64").key, Wanted(("a", "b"), "trixie-amd64").key}) == 3


def test_what_is_no_package_is_refused() -> None:
    for names in ((), ("-o",), ("Redis",), ("a b",)):
        with pytest.raises(UsageError, match="packages are names such as redis-server"):
            Wanted(names, "bookworm-amd64").check()


def test_a_node_that_is_no_debian() -> None:
    silent = Hands(lambda words: {"rc": 127, "stdout": "", "stderr": "dpkg: not found"}, str)
    with pytest.raises(InfrastructureError, match=r"it must be a Debian: dpkg: not found"):
        machine_of(silent)
    odd = Hands(lambda words: {"rc": 0, "stdout": "-amd64\n", "stderr": ""}, str)
    with pytest.raises(InfrastructureError, match="does not say which packages it takes, but '-amd64'"):
        machine_of(odd)
