"""Projects that use the pytest plugin, run by a pytest of their own with the plugin found by its entry point."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from real_runs import Desk, Done, traces, write_suite
from role_nodes import REPOSITORY

from e2e_ansible.deadline import Deadline
from e2e_ansible.judge.result import RunResult

_NAMED = ("passed", "failed", "errors", "skipped")
_LONG = 300


@dataclass(frozen=True)
class Project:
    """A project in the folder of a desk."""

    desk: Desk

    def __post_init__(self) -> None:
        """Make the package look installed: pytest finds plugins by their metadata."""
        project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
        info = self.desk.scratch / f"packages/e2e_ansible-{project['version']}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: e2e-ansible\nVersion: {project['version']}\n"
        )
        points = project["entry-points"]["pytest11"].items()
        (info / "entry_points.txt").write_text(
            "[pytest11]\n" + "".join(f"{name} = {at}\n" for name, at in points)
        )
        (self.desk.folder / "pytest.ini").touch()
        paths = [str(REPOSITORY), str(info.parent), str(Path(__file__).parent)]
        self.desk.variables["PYTHONPATH"] = os.pathsep.join(paths)

    def suite(self, name: str, **tests: Mapping[str, Any]) -> Path:
        """A suite file that is collected."""
        return write_suite(self.desk.folder / f"{name}.e2e.json", **tests)

    def python(self, name: str, text: str) -> None:
        """A file of tests."""
        (self.desk.folder / f"test_{name}.py").write_text(text)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin a session."""
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words],
            cwd=self.desk.folder,
            env=self.desk.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def end(self, process: subprocess.Popen[str]) -> Done:
        """Wait for the end of a session."""
        out, _ = process.communicate(timeout=_LONG)
        return Done(process.returncode, out, "", 0)

    def session(self, *words: str) -> Done:
        """A whole session."""
        with self.start(*words) as process:
            return self.end(process)

    def appears(self, name: str) -> None:
        """Wait for a file of the project."""
        assert Deadline(_LONG).wait_for((self.desk.folder / name).exists), name

    def runs(self) -> Sequence[RunResult]:
        """The results of all runs, the oldest first."""
        texts = [path.read_text() for path in sorted(self.desk.runs.glob("*/result.json"))]
        return [RunResult.model_validate_json(text) for text in texts]

    def left(self) -> list[str]:
        """What is left on this machine of all runs, by other means than the product's own."""
        return [line for run in self.desk.runs.glob("*/run.json") for line in traces(run.parent)]


def counted(done: Done) -> dict[str, int]:
    """How many items came to what, by the last line."""
    words = done.out.rstrip().splitlines()[-1].replace("error ", "errors ").replace(",", "").split()
    pairs = zip(words[1:], words, strict=False)
    return {word: int(number) for word, number in pairs if word in _NAMED}


def properties(file: Path) -> dict[str, dict[str, str]]:
    """The properties of each case of a JUnit file."""
    cases = ElementTree.parse(file).getroot().iter("testcase")
    return {
        case.attrib["name"]: {each.attrib["name"]: each.attrib["value"] for each in case.iter("property")}
        for case in cases
    }
