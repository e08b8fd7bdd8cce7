"""The action `plain_command`: the same result over ssh and on the controller, and nothing between it and a program."""

from __future__ import annotations

import sys
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
WORDS = ["a  b", "", "$HOME", "~", "*", "`id`", "it's", '"', "\\", "a\nb", "-n", "ä€😀", "; false"]


@pytest.fixture(scope="module", params=["local", "ssh"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp(f"plain-{request.param}")
    (folder / "ansible.cfg").write_text(ANSIBLE_CFG)
    (folder / "content").symlink_to(REPOSITORY)
    python = f"ansible_python_interpreter={sys.executable}"
    if request.param == "local":
        (folder / "hosts.ini").write_text(f"n1 ansible_connection=local {python}\n")
        yield folder
        return
    with loopback_sshd(folder) as variables:
        host_key = "ansible_ssh_extra_args='-o StrictHostKeyChecking=no -o LogLevel=ERROR'"
        (folder / "hosts.ini").write_text(f"n1 ansible_host=127.0.0.1 {python} {host_key} {variables}\n")
        yield folder


def result(project: Path, *argv: str, seconds: int = 30, **more: Any) -> Mapping[str, Any]:
    """What the task returned."""
    task = {"name": "Run", "plain_command": {"argv": list(argv), "timeout_seconds": seconds, **more}}
    text = yaml.safe_dump([{"hosts": "n1", "gather_facts": False, "tasks": [task]}])
    (project / "play.yml").write_text(text)
    artifacts = project / "artifacts"
    artifacts.mkdir(exist_ok=True)
    events: list[Event] = []
    request = PlayRequest(project, "play.yml", "hosts.ini", artifacts, 60, f"plain-{project.name}")
    outcome = RunnerEngine().run(request, events.append, Cancel())
    ends = [event for event in events if event.kind in (Kind.OK, Kind.FAILED)]
    assert len(ends) == 1, outcome
    assert (outcome.rc == 0) == (ends[0].kind is Kind.OK)
    return ends[0].result


def test_every_argument_arrives_as_it_is_written(project: Path) -> None:
    found = result(project, "printf", "%s|", *WORDS)
    assert found["stdout"] == "".join(f"{word}|" for word in WORDS)
    assert found["changed"] is True


def test_both_outputs_are_kept_apart_and_the_status_is_told(project: Path) -> None:
    found = result(project, "/bin/sh", "-c", "echo out; echo err >&2; exit 3")
    assert (found["rc"], found["stdout"], found["stderr"]) == (3, "out", "err")
    assert (found["stdout_lines"], found["stderr_lines"]) == (["out"], ["err"])
    assert found["msg"] == "non-zero return code"


def test_a_program_that_is_not_there_is_a_failure_with_its_name(project: Path) -> None:
    found = result(project, "no-such-program")
    assert found["rc"] == 127
    assert "no-such-program" in found["stderr"]


def test_it_reads_nothing_and_has_no_terminal(project: Path) -> None:
    assert result(project, "/bin/sh", "-c", "cat; test -t 0 || echo none")["stdout"] == "none"


def test_the_target_ends_what_takes_too_long(project: Path) -> None:
    found = result(project, "/bin/sh", "-c", "echo begun; sleep 4322", seconds=1)
    assert found["msg"] == "the command was ended after 1 s"
    assert (found["rc"], found["stdout"]) == (124, "begun")
    assert not any(
        b"4322" in path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
    )


def test_bytes_that_are_no_text_are_replaced_and_the_others_stay(project: Path) -> None:
    found = result(project, "printf", r"a\377b\303\244\n")
    assert (found["rc"], found["stdout"]) == (0, "a\ufffdbä")


def test_its_folder_can_be_chosen(project: Path) -> None:
    assert result(project, "pwd", chdir="/usr")["stdout"] == "/usr"
