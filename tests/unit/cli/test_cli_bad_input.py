"""Whatever is typed wrong: exit code 2 or that of what is broken, the nearest right name, and nothing was done."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_desk import FINE, REPOSITORY, Desk

RUN = "20261121-120000-abcdef"
FILES = {
    "missing.yaml": "there is no such file",
    "folder.yaml": "holds no suite",
    "empty.yaml": "the file is empty",
    "binary.yaml": "the file is not UTF-8",
    "pipe.yaml": "this is not a regular file",
    "socket.yaml": "this is not a regular file",
    "loop.yaml": "too many levels of symbolic links",
    "notes.txt": "suites end in .yml, .yaml, .json",
    "huge.yaml": "larger than 8 MiB",
    "suite.yaml/inner.yaml": "not a directory",
    f"{'long' * 100}.yaml": "file name too long",
    "/proc/self/mem": "input/output error",
    "/dev/zero": "this is not a regular file",
    "": "holds no suite",
}


@pytest.fixture
def full(desk: Desk) -> Desk:
    """A folder with a good suite and every kind of thing that is no suite."""
    desk.write("suite.yaml", f"name: good\n{FINE}".partition("\n")[2])
    desk.write("empty.yaml", "")
    desk.write("notes.txt", FINE)
    Path("folder.yaml").mkdir()
    Path("binary.yaml").write_bytes(bytes(range(256)) * 4)
    os.mkfifo("pipe.yaml")
    socket.socket(socket.AF_UNIX).bind("socket.yaml")
    Path("loop.yaml").symlink_to("loop.yaml")
    with Path("huge.yaml").open("wb") as file:
        file.truncate(9 * 1024 * 1024)
    return desk


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "command", ["validate", "list", "list --json", "plan -o plan", "run", "run --json", "run --dry-run"]
)
def test_a_file_that_is_no_suite_is_named_and_nothing_is_done(full: Desk, command: str, name: str) -> None:
    if name == "":
        (full.folder / "empty").mkdir()
    before = set(full.folder.iterdir())
    done = full.call(*command.split(), name or "empty")
    assert (done.code, done.out) == (2, "")
    assert FILES[name] in done.err
    assert (name or "empty") in done.err
    assert set(full.folder.iterdir()) == before


@pytest.mark.parametrize("command", ["validate", "list", "run", "run --dry-run"])
def test_all_problems_of_all_files_are_told_at_once(full: Desk, command: str) -> None:
    full.write("bad.yaml", "workflow:\n- {step: deply}\n- {step: validate, checks: [cluster_statu]}\n")
    done = full.call(*command.split(), "missing.yaml", "suite.yaml", "bad.yaml")
    assert done.code == 2
    places = re.findall(r"^(\S+): error: (.*)$", done.err, re.MULTILINE)
    assert [place for place, _ in places] == ["bad.yaml:2:10", "bad.yaml:3:29", "missing.yaml:1:1"]
    assert "did you mean 'deploy'?" in done.err
    assert "did you mean 'cluster_status'?" in done.err
    assert "3 problems; nothing was started." in done.err


NEAREST = [
    ("validate suit.yaml", "did you mean 'suite.yaml'?"),
    ("run ./sweet.yml", "did you mean 'suite.yaml'?"),
    ("vlidate suite.yaml", "'validate'"),
    ("reprot", "'report'"),
    ("--versoin", "--version"),
    ("validate --alow-plugins suite.yaml", "--allow-plugins"),
    ("run suite.yaml --paralel 2", "--parallel"),
    ("run suite.yaml --dryrun", "--dry-run"),
    ("run suite.yaml --run-test suit", "did you mean 'suite'?"),
    ("run suite.yaml --provider locl", "did you mean 'local'?"),
    ("run suite.yaml --only-provider locl", "did you mean 'local'?"),
    ("run suite.yaml --keep allways", "'always'"),
    ("run suite.yaml --parallel 0", "--parallel"),
    ("run suite.yaml --engine wrm", "'warm'"),
    ("run suite.yaml --parallel two", "--parallel"),
    ("run suite.yaml --max-nodes -1", "--max-nodes"),
    ("run suite.yaml --max-nodes 2", "suite needs 3 nodes, with a budget of 2 nodes"),
    ("run", "SUITE"),
    ("plan suite.yaml", "--output"),
    ("plan suite.yaml -o suite.yaml", "is not an empty folder"),
    ("plan suite.yaml -o .", "is not an empty folder"),
    ("plan suite.yaml -o new --run-test suit", "did you mean 'suite'?"),
    ("list suite.yaml --provider awss", "did you mean 'aws'?"),
    ("schema missing.yaml", "there is no suite 'missing.yaml'"),
    ("doctor --provider lokal", "did you mean local?"),
    ("doctor --provider awss", "did you mean aws?"),
    ("role", "NAME"),
    ("role observe", "--on"),
    ("role obsrve --on n11", "did you mean 'observe'?"),
    ("role observe --on n11", "there are no nodes here"),
    ("role observe --on n11 --deployment mine", "there are no nodes here"),
    ("role observe --on n11 -i hosst", "there is no inventory 'hosst'"),
    (f"role observe --on n11 -i {'long' * 100}", "there is no inventory"),
    *[(f"{command} nope", f"the newest in runs is {RUN}") for command in ("report", "rerun", "destroy")],
    *[(f"{command} suite.yaml", "there is no run") for command in ("report", "rerun", "destroy")],
    *[(f"{command} runs", "is no run folder") for command in ("report", "rerun", "destroy")],
    *[
        (f"{command} --runs nowhere", "there is no run in nowhere")
        for command in ("report", "rerun", "destroy")
    ],
    *[(f"{command} --runs suite.yaml", "there is no run in") for command in ("report", "rerun", "destroy")],
    *[(f"{command} {'long' * 100}", "there is no run") for command in ("report", "rerun", "destroy")],
]


@pytest.mark.parametrize(("line", "told"), NEAREST)
def test_what_is_typed_wrong_is_told_with_what_is_right(desk: Desk, line: str, told: str) -> None:
    desk.write("suite.yaml", FINE)
    desk.a_run("survives")
    before = desk.state()
    done = desk.call(*line.split())
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert len(done.err.splitlines()) <= 5
    assert desk.state() == before


Break = Callable[[Path], object]


def replaced(name: str, content: bytes) -> Break:
    """Something else in the place of a file."""
    return lambda run: (run / name).write_bytes(content)


def removed(name: str) -> Break:
    """A file or folder that is not there."""
    return lambda run: shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()


def a_folder(name: str) -> Break:
    """A folder where a file should be."""

    def act(run: Path) -> None:
        (run / name).unlink()
        (run / name).mkdir()

    return act


def unreadable(name: str) -> Break:
    """A file that the disk does not give, not even to root."""

    def act(run: Path) -> None:
        (run / name).unlink()
        (run / name).symlink_to("/proc/self/mem")

    return act


TEST = "tests/survives"
BROKEN: list[tuple[Break, str]] = [
    (replaced("run.json", b""), "run.json cannot be read: "),
    (replaced("run.json", b"\xff\x00" * 99), "run.json cannot be read: "),
    (replaced("run.json", b"[]"), "run.json cannot be read: "),
    (replaced("run.json", b'{"run_id": 1, "tests": 2}'), "run.json cannot be read: run_id: "),
    (unreadable("run.json"), "run.json cannot be read: input/output error"),
    (removed(f"{TEST}/plan"), "plan.json cannot be read: no such file or directory"),
    (a_folder(f"{TEST}/plan/plan.json"), "plan.json cannot be read: is a directory"),
    (replaced(f"{TEST}/plan/plan.json", b"{}"), "plan.json cannot be read: name: Field required, and "),
    (replaced(f"{TEST}/journal.jsonl", b"nonsense\n"), "journal.jsonl:1: this is no journal entry"),
    (replaced(f"{TEST}/journal.jsonl", b"\xff\xfe\n" * 9), "journal.jsonl:1: this is no journal entry"),
    (a_folder(f"{TEST}/journal.jsonl"), "journal.jsonl cannot be read: is a directory"),
    (unreadable(f"{TEST}/events.jsonl"), "events.jsonl cannot be read: input/output error"),
    (replaced(f"{TEST}/events.jsonl", b"[]\n"), "events.jsonl:1: this is no event"),
    (
        replaced(f"{TEST}/events.jsonl", b'{"step":"x","attempt":1,"event":[]}\n'),
        "events.jsonl:1: this is no event",
    ),
]


@pytest.mark.parametrize(("act", "told"), BROKEN, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("command", ["report", "report --json", "rerun", "rerun --failed"])
def test_a_broken_run_folder_is_told_with_the_file(desk: Desk, command: str, act: Break, told: str) -> None:
    run = desk.a_run("survives")
    act(run)
    before = set(desk.folder.rglob("*"))
    done = desk.call(*command.split(), str(run))
    assert (done.code, done.out) == (5, "")
    assert told in done.err
    assert len(done.err.splitlines()) == 1
    assert set(desk.folder.rglob("*")) == before


@pytest.mark.parametrize("size", range(0, 1200, 100))
def test_a_journal_that_was_cut_anywhere_is_reported_and_is_no_pass(desk: Desk, size: int) -> None:
    run = desk.a_run("survives")
    journal = run / TEST / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:size])
    manifest = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**manifest, "ended": None}))
    done = desk.call("report", str(run))
    assert (done.code, done.err) == (3, "")
    assert "UNKNOWN" in done.out
    assert f"e2e-ansible destroy {run.name}" in done.out


def test_a_report_that_cannot_be_written_is_told_and_leaves_what_was_there(desk: Desk) -> None:
    run = desk.a_run("survives")
    (run / "report.html").mkdir()
    done = desk.call("report", str(run))
    assert done.code == 4
    assert f"run {run.name}" in done.out, "what is known is shown all the same"
    assert "report.html" in done.err


@pytest.mark.parametrize("place", ["suite.yaml", "suite.yaml/below", "long" * 100])
@pytest.mark.parametrize(
    "command", ["plan suite.yaml -o", "run suite.yaml --dry-run --runs", "run suite.yaml --runs"]
)
def test_a_place_that_cannot_be_made_is_told_before_anything_is_started(
    desk: Desk, command: str, place: str, tmp_path: Path
) -> None:
    desk.write("suite.yaml", FINE)
    before = desk.state()
    done = desk.call(*command.split(), place)
    assert (done.code in (2, 4), done.out) == (True, "")
    assert place in done.err
    assert desk.state() == before
    assert not (tmp_path / "home").exists()


def test_code_beside_a_suite_that_is_broken_is_told_with_its_line(desk: Desk) -> None:
    desk.write("suite.yaml", FINE)
    desk.write("e2e_plugins/mine.py", "import os\n\nraise RuntimeError('no moon')\n")
    done = desk.call("validate", "suite.yaml", "--allow-plugins")
    assert (done.code, done.out) == (2, "")
    assert re.search(r"e2e_plugins/mine.py:3:1: error: RuntimeError: no moon", done.err)
    assert desk.call("validate", "suite.yaml").code == 0


def test_a_package_with_a_broken_entry_point_is_told_with_its_name(desk: Desk) -> None:
    desk.write("suite.yaml", FINE)
    desk.write("site/moon-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: moon\nVersion: 1.0\n")
    desk.write("site/moon-1.0.dist-info/entry_points.txt", "[e2e_ansible.steps]\nfly = moon.step:Fly\n")
    path = f"{desk.folder / 'site'}:{REPOSITORY}"
    done = desk.start("validate", "suite.yaml", PYTHONPATH=path)
    assert (done.code, done.out) == (5, "")
    assert "fly = moon.step:Fly" in done.err
