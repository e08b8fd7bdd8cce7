"""The run folder is private, has a name for everything, and tells who is still at work in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_limits import files_end_at
from run_replay import plan_of, replay

from e2e_ansible.errors import HarnessError, InfrastructureError, UsageError
from e2e_ansible.run.folder import Manifest, ManifestTest, RunFolder, manifest_tests, write_private

ROOT = Path(__file__).parents[3]
NOON = 1_750_000_000.0
MANIFEST = Manifest(
    run_id="run",
    suite="suite.yaml",
    started=1.0,
    options={"parallel": 2},
    versions={"python": "3.11"},
    tests=(
        ManifestTest(
            name="one",
            folder="tests/one",
            deployment="one-1",
            provider="local",
            suite="/suite.yaml",
            suite_digest="0" * 64,
        ),
    ),
)


@pytest.fixture
def open_mask() -> Iterator[None]:
    """Nothing is kept from others by the environment."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.usefixtures("open_mask")
def test_nothing_of_a_run_can_be_read_by_others(tmp_path: Path) -> None:
    done = replay(tmp_path / "runs", "failing_check")
    path = done.folder.path
    assert mode(path) == 0o700
    assert {mode(file) for file in path.iterdir() if file.is_file()} == {0o600}
    (test,) = done.tests
    assert (mode(test.path), mode(test.path / "evidence")) == (0o700, 0o700)
    assert {file.name: mode(file) for file in test.path.iterdir() if file.is_file()} == {
        "journal.jsonl": 0o600,
        "events.jsonl": 0o600,
        "test.log": 0o600,
        "result.json": 0o600,
    }


def test_names_of_runs_sort_by_age_and_never_clash(tmp_path: Path) -> None:
    made = [RunFolder.create(tmp_path / "runs", now=NOON + seconds) for seconds in (0, 90, 7200)]
    names = [folder.run_id for folder in made]
    assert names == sorted(names)
    assert names[0].startswith("20250615-150640-")
    assert RunFolder.create(tmp_path / "runs", now=NOON).run_id not in names


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InfrastructureError, match="cannot be made: Not a directory"):
        RunFolder.create(tmp_path / "file" / "runs", now=NOON)


def test_only_a_folder_with_a_manifest_is_a_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no run folder"):
        RunFolder.open(tmp_path)
    RunFolder(tmp_path).write_manifest(MANIFEST)
    (tmp_path / "link").symlink_to(tmp_path)
    assert RunFolder.open(tmp_path / "link").path == tmp_path


def test_a_manifest_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_manifest(MANIFEST)
    folder.write_manifest(MANIFEST.model_copy(update={"ended": 2.0}))
    assert folder.manifest() == MANIFEST.model_copy(update={"ended": 2.0})
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"run_id": 1}', "\0"])
def test_a_damaged_manifest_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(HarnessError, match=r"run\.json cannot be read: "):
        RunFolder.open(tmp_path).manifest()


def test_a_file_that_does_not_fit_leaves_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    write_private(file, "old")
    with files_end_at(10), pytest.raises(OSError, match="too large"):
        write_private(file, "new and longer")
    assert file.read_text() == "old"
    write_private(file, "new and longer")
    assert (file.read_text(), mode(file)) == ("new and longer", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_text_that_is_no_unicode_is_written_all_the_same(tmp_path: Path) -> None:
    write_private(tmp_path / "file", "a\udce9b")
    assert (tmp_path / "file").read_bytes() == b"a\xed\xb3\xa9b"


# names of tests

NAMES = {
    "plain": ("plain", "plain"),
    "Größe & Co.": ("gr-e-co", "gr-e-co"),
    "../../etc/passwd": ("etc-passwd", "etc-passwd"),
    "日本": ("test", "test"),
    "x" * 200: ("x" * 40, "x" * 40),
}


@pytest.mark.parametrize(
    ("name", "expected"), NAMES.items(), ids=[expected[0] for expected in NAMES.values()]
)
def test_a_test_has_a_folder_and_a_deployment_of_its_name(name: str, expected: tuple[str, str]) -> None:
    plan = plan_of("slow_command").model_copy(update={"name": name})
    (test,) = manifest_tests("20250615-150640-abc123", [plan])
    assert (test.name, test.folder, test.deployment) == (
        name,
        f"tests/{expected[0]}",
        f"{expected[1]}-abc123",
    )


def test_tests_of_the_same_name_have_folders_of_their_own() -> None:
    names = ["a b", "A-B", "a-b-2", "a_b"]
    plans = [plan_of("slow_command").model_copy(update={"name": name}) for name in names]
    made = manifest_tests("run-1", plans)
    assert len({test.folder for test in made}) == len({test.deployment for test in made}) == len(names)
    assert made[0].folder == "tests/a-b"


# the lock

HOLDER = """
import sys, time
from pathlib import Path
from e2e_ansible.run.folder import RunFolder
RunFolder(Path(sys.argv[1])).lock()
print("held", flush=True)
time.sleep(60)
"""


def test_a_run_is_locked_as_long_as_its_process_lives(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UsageError, match="is still running"):
            RunFolder(tmp_path).lock()
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    os.close(RunFolder(tmp_path).lock())


def test_a_lock_is_not_inherited(tmp_path: Path) -> None:
    descriptor = RunFolder(tmp_path).lock()
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        os.close(descriptor)
        os.close(RunFolder(tmp_path).lock())
    finally:
        child.kill()
        child.wait()


def test_runs_of_one_second_are_in_the_order_of_their_beginning(tmp_path: Path) -> None:
    runs = []
    for name in ("20261121-120000-ffffff", "20261121-120000-000000", "20261121-115959-aaaaaa"):
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir()
        os.close(folder.lock())
        runs.append(folder)
    first, second, before = runs
    os.utime(second.path / "run.lock", ns=(0, (first.path / "run.lock").stat().st_mtime_ns + 1))
    assert sorted(runs, key=lambda run: run.begun) == [before, first, second]
