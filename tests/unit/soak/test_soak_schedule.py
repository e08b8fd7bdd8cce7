"""Schedules as files: written, read, and every problem told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_ansible.errors import SuiteError
from e2e_ansible.soak.options import PlannedInjection
from e2e_ansible.soak.schedule import parse_schedule, read_schedule, write_schedule

SCHEDULE = (
    PlannedInjection(cycle=2, scenario="pause_backup", phase="activation"),
    PlannedInjection(cycle=5, scenario="kill", phase="preflight", target="label:east"),
)


def problems(text: bytes) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        parse_schedule(text, "s.json")
    return str(caught.value).splitlines()


@pytest.mark.parametrize("schedule", [SCHEDULE, SCHEDULE[:1], ()])
def test_what_was_written_is_read(tmp_path: Path, schedule: tuple[PlannedInjection, ...]) -> None:
    path = tmp_path / "schedule.json"
    write_schedule(path, schedule)
    assert read_schedule(path) == schedule


def test_names_of_the_command_line_and_any_order_are_read() -> None:
    text = b"""[
      {"cycle": 5, "scenario": "kill", "phase": "preflight", "target": "label:east"},
      {"cycle": 2, "scenario": "pause-backup", "phase": "activation"}
    ]"""
    assert parse_schedule(text, "s.json") == SCHEDULE


def test_every_problem_has_its_line() -> None:
    text = b"""[
{"cycle": 0, "scenario": "kill", "phase": "p"},
{"cycle": 1, "scenario": "kil", "phase": "p"},
{"cycle": 2, "scenario": "random", "phase": "p"},
{"cycle": 3, "phase": "p", "scenarios": "kill"},
{"cycle": 4, "scenario": "kill", "phase": "p"},
{"cycle": 4, "scenario": "pause", "phase": "p"},
7
]"""
    found = problems(text)
    assert [line.split(": ")[0] for line in found] == [
        "s.json:2:11",
        "s.json:3:26",
        "s.json:4:26",
        "s.json:5:1",
        "s.json:5:28",
        "s.json:7:1",
        "s.json:8:1",
    ]
    assert "did you mean 'kill'?" in found[1]
    assert "a schedule names what is injected, not 'random'" in found[2]
    assert "did you mean 'scenario'?" in found[4]
    assert "cycle 4 has two injections" in found[5] and "line 6" in found[5]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"{}", "a schedule is a list of injections"),
        (b"[", "not valid JSON"),
        (b"", "the file is empty"),
        (b"\xff\xfe\x00", "s.json:1:1"),
    ],
)
def test_what_is_no_schedule(text: bytes, problem: str) -> None:
    assert problem in problems(text)[0]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="there is no such file"):
        read_schedule(tmp_path / "none.json")
