"""The hash of a plan: the same wherever and whenever it is made, another one for any other plan."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import golden_cases as golden
import pytest

from e2e_ansible.compile.plan import Plan
from e2e_ansible.suite.vocabulary import Vocabulary

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
PRINT_HASHES = """
import golden_cases as golden
from e2e_ansible.suite.vocabulary import Vocabulary

words = Vocabulary.default()
for case in golden.CASES:
    plan = golden.plan(case, words)
    assert golden.contents(plan) == golden.contents(golden.plan(case, words))
    print(case, plan.hash)
"""


def hashes_elsewhere(folder: Path, seed: str) -> str:
    environment = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": os.pathsep.join([str(HERE), str(REPOSITORY)]),
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "COLUMNS": "20",
    }
    command = [sys.executable, "-c", PRINT_HASHES]
    return subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_folder_clock_language_and_hash_seed_change_nothing(tmp_path: Path, words: Vocabulary) -> None:
    here = "".join(f"{case} {golden.plan(case, words).hash}\n" for case in golden.CASES)
    folders = [tmp_path / "a", tmp_path / "b b"]
    for folder, seed in zip(folders, ("1", "2"), strict=True):
        folder.mkdir()
        assert hashes_elsewhere(folder, seed) == here


@pytest.fixture
def plan(words: Vocabulary) -> Plan:
    return golden.plan("whole-test", words)


def with_files(plan: Plan, files: dict[str, str]) -> Plan:
    return plan.model_copy(update={"files": files})


def test_every_byte_of_every_file_counts(plan: Plan) -> None:
    seen = {plan.hash}
    for name, text in plan.files.items():
        rest = {key: item for key, item in plan.files.items() if key != name}
        for files in ({**rest, name: f"{text}#"}, rest, {**rest, f"{name}x": text}, {**rest, name: ""}):
            changed = with_files(plan, files).hash
            assert changed not in seen
            seen.add(changed)


def test_the_order_of_files_does_not_count(plan: Plan) -> None:
    assert with_files(plan, dict(reversed(list(plan.files.items())))).hash == plan.hash


def test_a_name_does_not_run_into_its_text(plan: Plan) -> None:
    assert with_files(plan, {"a": "bc"}).hash != with_files(plan, {"ab": "c"}).hash
    assert with_files(plan, {"a": "b", "c": "d"}).hash != with_files(plan, {"a": "b\n\nc\nd"}).hash


def test_roles_and_plugins_count(words: Vocabulary, plan: Plan) -> None:
    other = golden.plan("whole-test", words, content_digest="f" * 64)
    assert other.hash != plan.hash
    assert other.files == plan.files


def test_every_step_counts(plan: Plan) -> None:
    seen = {plan.hash}
    for index, step in enumerate(plan.steps):
        changed = step.model_copy(update={"deadline_seconds": step.deadline_seconds + 1})
        steps = (*plan.steps[:index], changed, *plan.steps[index + 1 :])
        seen.add(plan.model_copy(update={"steps": steps}).hash)
    assert len(seen) == len(plan.steps) + 1
