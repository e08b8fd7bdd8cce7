"""What a user sees on a terminal: nothing wider than it but what must not be broken, and no colour in a pipe."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios

import pytest
from cli_desk import REPOSITORY, Desk

SUITE = REPOSITORY / "suites/quickstart.yaml"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COMMAND = re.compile(r"apt-get install|e2e-ansible ")
BAD = """
test_suites:
  crash:
    paramters: {cluster_size: 3}
    workflow:
      - {step: crash_nod, target_node: n12}
      - {step: validate, checks: [cluster_status, "node_status:n14:stopped", admin_ui_accessible, data_integrty, x]}
"""


def on_terminal(columns: int, *arguments: str, path: str = os.environ["PATH"]) -> str:
    """All that a command shows on a terminal of this width."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    kept = {
        key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR", "CI")
    }
    with subprocess.Popen(
        [sys.executable, "-m", "e2e_ansible", *arguments],
        env={
            **kept,
            "PYTHONPATH": str(REPOSITORY),
            "TERM": "xterm-256color",
            "PATH": path,
            "LC_ALL": "C.UTF-8",
        },
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ):
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end is closed
        return b""


def unbroken(line: str) -> bool:
    """Whether a line is better left whole: a command to copy, or one long word."""
    return COMMAND.search(line) is not None or len(line.rsplit(maxsplit=1)[-1]) > 24


COMMANDS = [
    ["--help"],
    ["run", "--help"],
    ["validate", "bad.yaml"],
    ["list", str(SUITE)],
    ["run", str(SUITE), "--dry-run"],
    ["report"],
    ["report", "-v"],
    ["providers"],
    ["doctor"],
]


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nothing_is_wider_than_the_terminal(desk: Desk, command: list[str], columns: int) -> None:
    desk.a_run("failing_check")
    desk.write("bad.yaml", BAD)
    shown = on_terminal(columns, *command)
    lines = [line.rstrip() for line in ESCAPES.sub("", shown).splitlines()]
    assert [line for line in lines if len(line) > columns and not unbroken(line)] == []
    assert len(lines) > 1


@pytest.mark.parametrize("columns", [60, 80])
def test_a_remedy_is_one_line_that_can_be_copied(desk: Desk, columns: int) -> None:
    shown = on_terminal(columns, "doctor", path="/nowhere").splitlines()
    assert "apt-get install --yes --no-install-recommends systemd-container" in [
        line.strip() for line in shown
    ]


def test_a_pipe_gets_no_escapes_and_a_row_per_line(desk: Desk) -> None:
    desk.a_run("failing_check")
    desk.write("bad.yaml", BAD)
    plain = {"COLUMNS": "", "NO_COLOR": "", "TERM": "xterm-256color"}
    for command in COMMANDS:
        done = desk.start(*command, **plain)
        assert not ESCAPES.search(done.out + done.err), command
    table = desk.start("providers", **plain).out.splitlines()
    assert (
        "  crash_node method destroy     no   the API has no hard power-off; use crash_node method ssh"
        in table
    )


def test_colours_are_there_on_a_terminal(desk: Desk) -> None:
    desk.write("bad.yaml", BAD)
    assert "\x1b[1;31m" in on_terminal(80, "validate", "bad.yaml")
