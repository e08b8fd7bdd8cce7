"""The pure parts, compile, judge and analysis, are covered to the last branch by their own unit tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("compile", "judge", "analysis")
#: Only what takes the same way each time: no random examples, no measured times.
EXPECTED = (
    "-m",
    "not hypothesis",
    "--deselect",
    "tests/unit/compile/test_speed.py",
    # Long simulations of what others have covered already.
    "--deselect",
    "tests/unit/analysis/test_false_alarms.py",
)


def test_the_pure_parts_are_covered_by_their_unit_tests(tmp_path: Path) -> None:
    folders = [f"tests/unit/{name}" for name in PACKAGES]
    packages = [f"--cov=e2e_ansible.{name}" for name in PACKAGES]
    report = ["--cov-branch", "--cov-report=term-missing:skip-covered", "--cov-fail-under=100"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *EXPECTED]
    environment = {**os.environ, "COVERAGE_FILE": str(tmp_path / "coverage")}
    environment.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(
        [*command, *packages, *report, *folders],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
