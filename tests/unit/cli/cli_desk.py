"""The command line as a user has it: a folder to work in, and commands with their exit code and both streams."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from e2e_ansible.checks.registry import isolated
from e2e_ansible.cli import main
from e2e_ansible.judge.result import TestResult
from e2e_ansible.run.folder import Manifest, ManifestTest, RunFolder

REPOSITORY = Path(__file__).resolve().parents[3]
EVENTS = REPOSITORY / "tests/data/events"
FINE = "workflow:\n- {step: deploy}\n- {step: validate, checks: [cluster_status]}\n"


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass
class Desk:
    """A folder to work in, which is the current one, and an empty home for nodes."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def call(self, *arguments: str) -> Done:
        """Run a command in this process. It ends as programs end, and never by a bug."""
        out, err = io.StringIO(), io.StringIO()
        with (
            isolated(),
            no_plugins_left(),
            mock.patch.object(sys, "argv", ["e2e-ansible", *arguments]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = _code_of_main()
        return _sound(Done(code, out.getvalue(), err.getvalue()))

    def start(self, *arguments: str, **variables: str) -> Done:
        """Run a command in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "e2e_ansible", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return _sound(Done(done.returncode, done.stdout, done.stderr))

    def write(self, name: str, text: str) -> Path:
        """A file in the folder, named as the user would name it."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)
        return Path(name)

    def state(self) -> dict[str, str]:
        """Every file and folder below, with a digest of what is in it."""
        return {str(path.relative_to(self.folder)): _digest(path) for path in self.folder.rglob("*")}

    def a_run(self, *cases: str, name: str = "20261121-120000-abcdef", later: Sequence[str] = ()) -> Path:
        """A folder below `runs` of a run with recorded tests, and tests that were never begun."""
        run = RunFolder(self.folder / "runs" / name)
        run.path.mkdir(parents=True)
        for case in cases:
            ignored = shutil.ignore_patterns("result.json")
            shutil.copytree(EVENTS / case, run.test(f"tests/{case}").path, ignore=ignored)
        tests = tuple(self._test(case) for case in (*cases, *later))
        times = {"started": 1795245000.0, "ended": 1795246000.0}
        run.write_manifest(Manifest(run_id=name, suite="recorded.yaml", tests=tests, **times))
        return Path("runs") / name

    def _test(self, case: str) -> ManifestTest:
        return ManifestTest(
            name=case,
            folder=f"tests/{case}",
            deployment=f"{case}-abcdef",
            provider="local",
            suite=str(self.folder / "recorded.yaml"),
            suite_digest="0" * 64,
        )


def recorded(case: str) -> TestResult:
    """The result of a recorded test as it was written when it ran."""
    result = TestResult.model_validate_json((EVENTS / case / "result.json").read_text())
    return result.model_copy(update={"folder": f"tests/{case}"})


@contextlib.contextmanager
def no_plugins_left() -> Iterator[None]:
    """Forget the modules of code beside suites, which are loaded once in a process."""
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.startswith("e2e_ansible_plugin_")]:
            del sys.modules[name]


def _code_of_main() -> int:
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def _sound(done: Done) -> Done:
    said = done.out + done.err
    assert "Traceback" not in said, said
    assert "this is a bug" not in said, said
    return done


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
