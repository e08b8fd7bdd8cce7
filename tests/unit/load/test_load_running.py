"""One run of a tool through a real shell: what it gets, what comes back, and that nothing of it is left."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.deadline import Deadline
from e2e_ansible.load.running import ARGUMENTS, RESULT, bounded, run_load
from e2e_ansible.load.script import COMMAND, came, script

SECRET = "s3:cr/et\\x"
WORDS = [
    "a  b",
    "",
    "$HOME",
    "~",
    "*",
    "`id`",
    "it's",
    '"',
    "\\",
    "a\nb",
    "-n",
    "ä€😀",
    "; false",
    "@MARK@",
    "@X@",
]
OFFSET = 1_000_000


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where tools run; nothing may be left there."""
    folder = tmp_path / "node"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.delenv("E2E_STEP_FOLDER", raising=False)
    yield folder
    assert list(folder.iterdir()) == []


def execute(command: str, *, in_data: bytes) -> Mapping[str, Any]:
    """As an action of Ansible does it on the controller."""
    done = subprocess.run(
        ["/bin/sh", "-c", command], input=in_data, capture_output=True, check=False, timeout=60
    )
    return {"rc": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode()}


def run(*words: str, hostvars: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The result of the task."""
    defaults = {name: spec.get("default") for name, spec in ARGUMENTS.items()}
    args = {**defaults, "tool": "x", "argv": list(words), "timeout_seconds": 20, **more}
    return run_load(execute, args, hostvars or {}, "n1")


def output(*argv: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = run(*argv, **more)[RESULT]
    return found


def sh(text: str, **more: Any) -> dict[str, Any]:
    return output("/bin/sh", "-c", text, **more)


@pytest.fixture
def database(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "secret").write_text(SECRET)
    host = {"ansible_host": "10.1.0.11", "e2e_client_password_file": str(tmp_path / "secret")}
    return {"database": {"hosts": ["n1"], "name": "load"}, "hostvars": {"n1": host}}


@pytest.mark.usefixtures("place")
def test_every_argument_and_file_arrives_as_it_is() -> None:
    found = output("/bin/sh", "-c", 'printf "%s|" "$@"', "sh", *WORDS, env={"A": "x 'y' $Z"})
    assert found["stdout"] == "".join(f"{word}|" for word in WORDS)
    text = "\n".join(WORDS)
    found = sh("cat file; echo; echo $A; stat -c %a file . ; cat", files={"file": text}, env={"A": "$Z 'y'"})
    assert found["stdout"] == f"{text}\n$Z 'y'\n600\n700\n"


@pytest.mark.usefixtures("place")
def test_both_outputs_the_status_and_kept_files_come_back() -> None:
    found = sh(
        "echo out; echo err >&2; echo kept >k; exit 3",
        keep=["k", "not-there"],
        after=["sh", "-c", "echo 2 >>k"],
    )
    assert (found["exit_code"], found["stdout"], found["stderr"]) == (3, "out\n", "err\n")
    assert found["files"] == {"k": "kept\n2\n"}
    assert found["ended"] >= found["started"] > OFFSET


@pytest.mark.usefixtures("place")
def test_the_address_is_in_the_environment_and_the_password_only_in_its_file(
    database: dict[str, Any],
) -> None:
    text = "echo $PGHOST $PGDATABASE; cat $PGPASSFILE conf; cat $PGPASSFILE conf >k; env | grep -c s3; echo $1 $2"
    files = {"conf": "@PASSWORD@ @FOLDER@"}
    found = output("/bin/sh", "-c", text, "sh", "@URL@", "@PASSWORD@", files=files, keep=["k"], **database)
    lines = found["stdout"].splitlines()
    assert lines[0] == "10.1.0.11 load"
    assert lines[1] == "*:*:*:*:********"
    assert lines[2].startswith("******** /")
    assert lines[2].endswith("0"), "its password is in no variable"
    assert lines[3].startswith("postgres://e2e@10.1.0.11:5432/load?")
    assert lines[3].endswith("@PASSWORD@"), "and never an argument"
    assert SECRET not in str(found)
    assert "s3" not in found["files"]["k"]


@pytest.mark.usefixtures("place")
def test_a_url_that_a_tool_prints_has_no_password(database: dict[str, Any]) -> None:
    found = sh('echo postgres://u:s3%3Acr%2Fet%5Cx@h >&2; printf \'{"p": "s3:cr/et\\\\\\\\x"}\'', **database)
    assert "s3" not in found["stdout"] + found["stderr"]
    assert "u:********@h" in found["stderr"]


@pytest.mark.usefixtures("place")
def test_a_password_of_digits_is_hidden_where_it_stands_and_changes_no_number(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("12")
    hostvars = {"n1": {"e2e_client_password_file": str(tmp_path / "secret")}}
    numbers = 'processed: 5012\ntps = 1234.5\ncount=12 avg=12.012\n{"all":[12,0,1.12],"n": 12}\n'
    told = 'postgres://u:12@h *:*:*:*:12\npassword=12 {"p": "12"}'
    found = sh(
        'cat a b; cat "$PGPASSFILE" >k',
        files={"a": numbers, "b": told},
        keep=["k"],
        hostvars=hostvars,
        database={"hosts": ["n1"]},
    )
    hidden = told.replace("12", "********")
    assert found["stdout"] == numbers + hidden
    assert found["files"]["k"] == "*:*:*:*:********\n"


@pytest.mark.usefixtures("place")
def test_outputs_are_kept_whole_for_their_owner_and_bounded_in_the_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2E_STEP_FOLDER", str(tmp_path / "step"))
    found = sh("seq 100000; echo kept >k", keep=["k"])
    assert len(found["stdout"]) < 140_000
    assert found["stdout"].startswith("1\n2\n")
    assert found["stdout"].endswith("\n99999\n100000\n")
    assert "characters are left out here" in found["stdout"]
    kept = tmp_path / "step/load-x"
    assert (kept / "stdout.txt").read_text() == "".join(f"{number}\n" for number in range(1, 100_001))
    assert {path.name for path in kept.iterdir()} == {"stdout.txt", "stderr.txt", "k"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.iterdir()} == {0o600}


def test_a_long_text_keeps_whole_lines_of_both_ends() -> None:
    text = "".join(f"line {number}\n" for number in range(1000))
    short = bounded(text, 100)
    lines = [line for line in short.splitlines() if line]
    assert all(line.startswith("line ") for line in lines if "left out" not in line)
    assert (lines[0], lines[-1]) == ("line 0", "line 999")
    assert bounded(text, len(text)) == text
    assert bounded("x" * 100, 10).startswith("xxxxx\n[... 90 characters")


@pytest.mark.usefixtures("place")
def test_what_is_no_text_is_read_all_the_same() -> None:
    found = sh(r"printf '\000\377ok'")
    assert found["stdout"] == "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}ok"


@pytest.mark.usefixtures("place")
def test_it_is_ended_after_its_time_with_all_that_it_has_started() -> None:
    found = sh("echo begun; sleep 4321 & sleep 4322", timeout_seconds=1)
    assert (found["exit_code"], found["stdout"]) == (124, "begun\n")
    assert _running("sleep\x004321") + _running("sleep\x004322") == []


def test_a_clock_that_is_set_meanwhile_makes_nothing_longer(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at the clock finds it an hour later; the folder has a name with a space."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/date").write_text(
        f'#!/bin/sh\necho >>{tmp_path}/n\necho "$(wc -l <{tmp_path}/n)00000.5"\n'
    )
    (tmp_path / "bin/date").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (place / "a b").mkdir()
    monkeypatch.setenv("TMPDIR", str(place / "a b"))
    found = sh("pwd", files={"conf": "@FOLDER@"})
    (place / "a b").rmdir()
    assert found["started"] == 100000.5
    assert 0 <= found["ended"] - found["started"] < 60
    assert found["stdout"].startswith(f"{place}/a b/e2e-load.")


def test_it_is_ended_when_nobody_waits_for_it_any_more(place: Path) -> None:
    text = script(["sleep", "4323"], 300, env={}, files={})
    with subprocess.Popen(
        ["/bin/sh", "-c", COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write(text)
        shell.stdin.close()
        Deadline(30).wait_for(lambda: _running("sleep\x004323") != [], interval=0.02)
        shell.stdout.close()
        Deadline(30).wait_for(lambda: _running("sleep\x004323") == [], interval=0.02)
        shell.wait(timeout=30)
    assert list(place.iterdir()) == []


def test_a_signal_ends_the_tool_and_takes_its_folder_along(place: Path) -> None:
    text = script(["sleep", "4324"], 300, env={}, files={})
    with subprocess.Popen(COMMAND.split(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdin is not None
        shell.stdin.write(text)
        shell.stdin.close()
        shell.stdin = None
        Deadline(30).wait_for(lambda: _running("sleep\x004324") != [], interval=0.02)
        shell.send_signal(signal.SIGTERM)
        said, _ = shell.communicate(timeout=30)
    assert (came(said.decode()).exit_code, came(said.decode()).whole) == (143, True)
    assert _running("sleep\x004324") == []
    assert list(place.iterdir()) == []


def test_a_script_that_was_cut_on_its_way_does_nothing(place: Path) -> None:
    text = script(["touch", str(place / "done")], 20, env={}, files={})
    for part in (text[: len(text) // 2], text[:-6]):
        execute(COMMAND, in_data=part)
        assert not (place / "done").exists()


@pytest.mark.usefixtures("place")
def test_what_must_not_fail_is_told_with_its_last_words() -> None:
    found = run("/bin/sh", "-c", "echo reason >&2; exit 4", measure=False)
    assert (found["failed"], found["msg"]) == (True, "x ended with status 4: reason")
    assert RESULT not in found
    assert "failed" not in run("true", measure=False)
    assert "No such file" in run("no-such-program", measure=False)["msg"]


def test_an_answer_that_was_cut_off_is_a_failure() -> None:
    cut = ".....\n@e2e-load exit 0 1.0 2.0 3.0 /x\n@e2e-load file stdout 3\nYWJj\n"
    args = {name: spec.get("default") for name, spec in ARGUMENTS.items()} | {
        "tool": "x",
        "argv": ["x"],
        "timeout_seconds": 1,
    }
    for text, words in ((cut, "cut off"), ("...", "ended before the tool did: gone")):
        told = {"rc": 255, "stdout": text, "stderr": "gone\n"}
        done = run_load(lambda command, told=told, **more: told, args, {}, "n1")
        assert done["failed"]
        assert words in done["msg"]
    assert came(cut).files == {"stdout": b"abc"}


@pytest.mark.parametrize(
    "more",
    [
        {"keep": ["../x"]},
        {"files": {"a/b": ""}},
        {"env": {"A-B": ""}},
        {"argv": []},
        {"programs": {"x": "../os"}},
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no plain name|no name|names no|no module"):
        run(**{"argv": ["true"], **more})


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"/no/such.sql cannot be read"):
        run("true", copies={"x": "such.sql"}, copies_from="/no")


def test_a_very_large_output_comes_back_as_its_two_ends(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2e_ansible.load.script.LARGEST_BYTES", 1000)
    text = script(["seq", "10000"], 20, env={}, files={})
    found = came(str(execute(COMMAND, in_data=text)["stdout"])).files["stdout"].decode()
    assert found.startswith("1\n2\n")
    assert found.endswith("9999\n10000\n")
    assert "bytes are left out" in found
    assert shutil.which("timeout")
    assert place.exists()


def _running(mark: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().decode(errors="replace").rstrip("\0") == mark and path.parent.name != str(
                os.getpid()
            ):
                found.append(path.parent.name)
        except OSError:  # it has ended
            continue
    return found
