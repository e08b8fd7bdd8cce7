"""A program is sent once, runs from where it lies after that, and never from where another user could have put it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from e2e_ansible.nodes import placed, probe
from e2e_ansible.nodes.link import command, parse
from e2e_ansible.nodes.program import program

PROGRAM = b"import sys\nprint('ran', *sys.argv[1:])\n"


def call(
    run: Path, *arguments: str, program: bytes = PROGRAM, sent: bool = False, cut: int | None = None
) -> subprocess.CompletedProcess[str]:
    """As a node runs it, with `run` for its /run, and with nothing of this project. `cut`: so much of it arrives."""
    text = command(sys.executable, program, arguments, sent=sent)
    assert text.count('"/run"') == 2
    return subprocess.run(
        ["sh", "-c", text.replace('"/run"', f'"{run}"')],
        input=program[:cut].decode() if sent else "",
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": os.environ["PATH"]},
    )


def laid(run: Path) -> Path:
    """The file of the program."""
    (file,) = (run / "e2e-ansible").iterdir()
    return file


def test_what_is_not_there_is_not_run(tmp_path: Path) -> None:
    done = call(tmp_path)
    assert (done.returncode, done.stdout) == (placed.MISSING, "")
    assert list(tmp_path.iterdir()) == []


def test_it_is_sent_once(tmp_path: Path) -> None:
    assert call(tmp_path, "one", "a b", sent=True).stdout == "ran one a b\n"
    assert call(tmp_path, "two", "$HOME").stdout == "ran two $HOME\n"
    assert laid(tmp_path).stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "e2e-ansible").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("arrived", [0, 1, PROGRAM.index(b"\n") + 1, len(PROGRAM) - 1])
def test_one_that_was_cut_on_its_way_is_neither_run_nor_kept(tmp_path: Path, arrived: int) -> None:
    done = call(tmp_path, sent=True, cut=arrived)
    assert (done.returncode, done.stdout, done.stderr) == (placed.MISSING, "", "")
    assert list(tmp_path.iterdir()) == []
    assert call(tmp_path, "whole", sent=True).stdout == "ran whole\n"


def test_another_program_is_another_one(tmp_path: Path) -> None:
    call(tmp_path, sent=True)
    assert call(tmp_path, program=PROGRAM + b"#").returncode == placed.MISSING


def test_the_probe_answers_from_where_it_lies(tmp_path: Path) -> None:
    source = program()
    call(tmp_path, "system", program=source, sent=True)
    done = call(tmp_path, "system", "deadline=2", program=source)
    facts = parse("Welcome to n12\n" + done.stdout + "last words")
    assert facts is not None
    assert facts["identity"] == probe.identity()
    assert "system_state" in facts


def test_a_program_that_fails_keeps_its_status(tmp_path: Path) -> None:
    assert call(tmp_path, program=b"raise SystemExit(9)", sent=True).returncode == 9
    assert call(tmp_path, program=b"raise SystemExit(9)").returncode == 9


def test_what_another_user_may_write_is_not_run(tmp_path: Path) -> None:
    call(tmp_path, sent=True)
    (tmp_path / "e2e-ansible").chmod(0o777)
    assert call(tmp_path).returncode == placed.MISSING
    laid(tmp_path).unlink()
    assert call(tmp_path, sent=True).stdout == "ran\n"
    assert list((tmp_path / "e2e-ansible").iterdir()) == []


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    call(tmp_path, sent=True)
    (tmp_path / "e2e-ansible").rename(tmp_path / "elsewhere")
    (tmp_path / "e2e-ansible").symlink_to(tmp_path / "elsewhere")
    assert call(tmp_path).returncode == placed.MISSING


@pytest.mark.parametrize("damage", [b"", b"\xe3broken", b"i\x01\x00\x00\x00"])
def test_a_damaged_file_is_sent_anew(tmp_path: Path, damage: bytes) -> None:
    call(tmp_path, sent=True)
    laid(tmp_path).write_bytes(damage)
    assert call(tmp_path).returncode == placed.MISSING
    assert call(tmp_path, sent=True).stdout == "ran\n"
    assert call(tmp_path).stdout == "ran\n"


def test_where_nothing_can_be_laid_down_it_still_runs(tmp_path: Path) -> None:
    assert call(tmp_path / "missing", sent=True).stdout == "ran\n"


def test_it_runs_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(program: object, file: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(placed.marshal, "dump", full)
    placed._keep(str(tmp_path / "e2e-ansible"), str(tmp_path / "e2e-ansible/x"), compile("1", "x", "eval"))
    assert list((tmp_path / "e2e-ansible").iterdir()) == []
