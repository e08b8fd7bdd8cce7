"""The cases of tests/golden: a suite with one test, and the folder of files that it must compile to."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.plan import Plan
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.model import Suite
from e2e_ansible.suite.vocabulary import Vocabulary

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())


def suite_file(case: str) -> Path:
    (found,) = GOLDEN.joinpath(case).glob("suite.*")
    return found


def raw(case: str) -> Any:
    return yaml.safe_load(suite_file(case).read_text(encoding="utf-8"))


def suite(case: str, vocabulary: Vocabulary) -> Suite:
    path = suite_file(case)
    return parse_suite(path.read_bytes(), path.name, vocabulary=vocabulary)


def plan(case: str, vocabulary: Vocabulary, *, content_digest: str = "") -> Plan:
    made = compile_suite(suite(case, vocabulary), vocabulary.step_types, content_digest=content_digest)
    (only,) = made
    return only


def contents(made: Plan) -> dict[str, str]:
    """Every file of a plan folder, but for the roles and plugins."""
    return {**made.files, "plan.json": made.to_json()}


def on_disk(case: str) -> dict[str, str]:
    folder = GOLDEN / case / ".plan"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def renew(case: str, files: Mapping[str, str]) -> None:
    folder = GOLDEN / case / ".plan"
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
