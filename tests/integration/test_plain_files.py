"""The actions `plain_files` and `plain_script` over ssh: no Python on the node, whole files, told differences."""

from __future__ import annotations

import getpass
import grp
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from loopback_sshd import loopback_sshd

from e2e_ansible.compile.compiler import ANSIBLE_CFG
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Cancel, PlayRequest
from e2e_ansible.engine.runner import RunnerEngine

REPOSITORY = Path(__file__).parents[2]
HOSTILE = "a  b $HOME `id` 'it' \"x\" \\ ä€😀\n{{ none }}\n\nlast"
MINE = {"owner": getpass.getuser(), "group": grp.getgrgid(os.getgid()).gr_name}
HBA = "# Debian\nlocal all all peer\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("plainfiles")
    (folder / "ansible.cfg").write_text(ANSIBLE_CFG)
    (folder / "content").symlink_to(REPOSITORY)
    (folder / "files").mkdir()
    with loopback_sshd(folder) as variables:
        # A module would fail on this node.
        python = "ansible_python_interpreter=/nowhere/python3"
        host_key = "ansible_ssh_extra_args='-o StrictHostKeyChecking=no -o LogLevel=ERROR'"
        (folder / "hosts.ini").write_text(f"n1 ansible_host=127.0.0.1 {python} {host_key} {variables}\n")
        yield folder


def result(project: Path, action: str, arguments: Mapping[str, Any], **more: Any) -> Mapping[str, Any]:
    """What the task returned."""
    task = {"name": "Do", action: arguments, **more}
    (project / "play.yml").write_text(
        yaml.safe_dump([{"hosts": "n1", "gather_facts": False, "tasks": [task]}])
    )
    artifacts = project / "artifacts"
    artifacts.mkdir(exist_ok=True)
    events: list[Event] = []
    request = PlayRequest(project, "play.yml", "hosts.ini", artifacts, 60, f"plain-{project.name}")
    outcome = RunnerEngine().run(request, events.append, Cancel())
    ends = [event for event in events if event.kind in (Kind.OK, Kind.FAILED)]
    assert len(ends) == 1, outcome
    assert (outcome.rc == 0) == (ends[0].kind is Kind.OK)
    return ends[0].result


def written(project: Path, *files: Mapping[str, Any], **more: Any) -> Mapping[str, Any]:
    return result(project, "plain_files", {"files": [{**MINE, **file} for file in files]}, **more)


def test_files_are_written_as_they_are_and_a_second_time_changes_nothing(
    project: Path, tmp_path: Path
) -> None:
    (project / "hostile.txt").write_text(HOSTILE)
    content = "{{ lookup('ansible.builtin.file', 'hostile.txt', rstrip=false) }}"
    files = (
        {"dest": str(tmp_path / "a file"), "content": content, "mode": "0600"},
        {"dest": str(tmp_path / "empty"), "content": ""},
    )
    assert written(project, *files)["changed"] is True
    assert (tmp_path / "a file").read_text() == HOSTILE
    assert (tmp_path / "a file").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "empty").read_bytes() == b""
    assert (tmp_path / "empty").stat().st_mode & 0o777 == 0o644
    before = (tmp_path / "a file").stat().st_ino
    assert written(project, *files)["changed"] is False
    assert (tmp_path / "a file").stat().st_ino == before
    (tmp_path / "a file").chmod(0o644)
    assert written(project, *files)["changed"] is True
    assert (tmp_path / "a file").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a file", "empty"]


def test_check_mode_tells_the_difference_and_writes_nothing(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("old\n")
    told = written(project, {"dest": str(file), "content": "new\n"}, check_mode=True, diff=True)
    assert told["changed"] is True
    (difference,) = told["diff"]
    assert (difference["before"], difference["after"]) == ("old\n", "new\n")
    assert difference["after_header"] == str(file)
    assert file.read_text() == "old\n"
    absent = tmp_path / "no" / "folder"
    assert written(project, {"dest": str(absent), "content": "x"}, check_mode=True)["changed"] is True


def test_a_block_comes_first_and_is_replaced_where_it_is(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "pg_hba.conf"
    file.write_text(HBA)
    block = {"dest": str(file), "block": "role x"}
    written(project, {**block, "content": "one\ntwo\n"})
    assert file.read_text() == f"# BEGIN role x\none\ntwo\n# END role x\n{HBA}"
    file.write_text(f"first\n{file.read_text()}")
    assert written(project, {**block, "content": "one\ntwo"})["changed"] is False
    written(project, {**block, "content": "three"})
    assert file.read_text() == f"first\n# BEGIN role x\nthree\n# END role x\n{HBA}"


def test_what_cannot_be_written_fails_and_leaves_the_file(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("old")
    refused = written(project, {"dest": str(file), "content": "new", "owner": "nobody-has-this-name"})
    assert "nobody-has-this-name" in refused["msg"]
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (
        "could not be written" in written(project, {"dest": str(tmp_path / "no" / "f"), "content": ""})["msg"]
    )


def test_a_script_gets_its_arguments_and_tells_its_end(project: Path) -> None:
    script = project / "files" / "say.sh"
    script.write_text('#!/bin/sh\nprintf "%s|" "$@"; cat; echo bad >&2; exit 3\n')
    words = ["a  b", "", "$HOME", "*", "it's", "a\nb", "-n", "ä"]
    told = result(project, "plain_script", {"script": "say.sh", "argv": words}, check_mode=True)
    assert told["stdout"] == "".join(f"{word}|" for word in words)
    assert (told["rc"], told["stderr"], told["msg"]) == (3, "bad", "non-zero return code")
    script.write_text("echo $#\n")
    assert result(project, "plain_script", {"script": "say.sh"})["stdout_lines"] == ["0"]
    script.write_text(f"# {'x' * 200_000}\n")
    assert "longer than" in result(project, "plain_script", {"script": "say.sh"})["msg"]
