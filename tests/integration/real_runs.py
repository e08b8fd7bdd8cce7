"""Real runs for tests: the command line as a user starts it, the API, and what either leaves on the machine."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from role_nodes import MADE, REPOSITORY, Cluster

from e2e_ansible import api
from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.plan import Plan
from e2e_ansible.engine.protocol import Engine
from e2e_ansible.judge.result import RunResult, StepResult, TestResult
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.local.driver import LocalProvider
from e2e_ansible.providers.registry import get_provider
from e2e_ansible.report.notice import Notice, StepStarted, TaskStarted, TestStarted
from e2e_ansible.run.clean_up import destroy_run
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType, play
from e2e_ansible.steps.provisioning import provision
from e2e_ansible.suite.load import load_suite
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.suite.vocabulary import Vocabulary
from e2e_ansible.verdict import Cause, Verdict

Steps = Sequence[Mapping[str, Any]]
PASS = ("pass", None)


def one_test(steps: Steps, *, size: int = 1, **more: Any) -> dict[str, Any]:
    """A test of a small cluster without what costs time; `more` are parameters."""
    database = "replication" if size > 1 else "standalone"
    parameters = {"cluster_size": size, "database": database, "admin_ui": False, **more}
    return {"parameters": parameters, "workflow": list(steps)}


def write_suite(path: Path, **tests: Mapping[str, Any]) -> Path:
    """A suite file with these tests."""
    path.write_text(json.dumps({"test_suites": tests}, indent=1))
    return path


# ---- what a run leaves on the machine


def traces(run: Path) -> list[str]:
    """What is seen of a run on this machine, by other means than the product's own; empty when it is gone."""
    manifest = json.loads((run / "run.json").read_text())
    found = [manifest["scratch"]] if Path(manifest["scratch"]).exists() else []
    deployments = [test["deployment"] for test in manifest["tests"]]
    found += list(_processes(manifest["run_id"], *deployments))
    for deployment in deployments:
        found += deployment_traces(deployment)
    return found


def deployment_traces(deployment: str, home: Path | None = None) -> list[str]:
    """What is seen of one deployment: links, tables, mounts, groups, folders."""
    home = home or default_home()
    tag = hashlib.sha256(f"{home}\0{deployment}".encode()).hexdigest()[:6]
    words = [_said("ip", "-brief", "link"), _said("nft", "list", "tables"), Path("/proc/mounts").read_text()]
    lines = [line for text in words for line in text.splitlines() if tag in line or deployment in line]
    lines += [str(path) for path in (home / "deployments").glob(f"*{deployment}*")]
    # Groups of others may go while this walks, which Path.glob does not stand.
    groups = (f"{top}/{name}" for top, names, _ in os.walk("/sys/fs/cgroup") for name in names)
    lines += [group for group in groups if tag in Path(group).name]
    return lines + [str(path) for path in Path("/run/systemd/nspawn/propagate").glob(f"{tag}-*")]


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _processes(run_id: str, *deployments: str) -> Iterator[str]:
    """Nodes, Ansible, ssh masters, writers: by their environment or by a path in their arguments."""
    marks = [f"E2E_TOKEN={run_id}", *(f"E2E_DEPLOYMENT={name}" for name in deployments)]
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
            command = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if run_id in command or any(word.startswith(mark) for word in words for mark in marks):
            yield f"{entry.name} {command}"


# ---- the command line


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def said(self) -> str:
        """Both streams in one line, as messages may be wrapped."""
        return " ".join((self.out + self.err).split())


@dataclass
class Desk:
    """A folder to work in, with runs and a folder for temporary files of its own."""

    folder: Path
    scratch: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> Path:
        """Where the run folders are."""
        return self.folder / "runs"

    @property
    def home(self) -> Path:
        """Where the provider has its images and deployments."""
        return Path(self.variables.get("E2E_ANSIBLE_HOME", default_home()))

    def allow_make_nodes(self) -> None:
        """Let suites use the step `make_nodes`."""
        (self.folder / "e2e_plugins").mkdir()
        (self.folder / "e2e_plugins/make_nodes.py").write_text(PLUGIN)
        self.variables["E2E_ALLOW_PLUGINS"] = "1"
        self.variables["PYTHONPATH"] = f"{REPOSITORY}{os.pathsep}{Path(__file__).parent}"

    def environment(self) -> dict[str, str]:
        """That of the test, with a TMPDIR of its own."""
        plain = {
            "PYTHONPATH": str(REPOSITORY),
            "TMPDIR": str(self.scratch),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }
        return {**os.environ, **plain, **self.variables}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a command in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "e2e_ansible", *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def call(self, *arguments: str, seconds: float = 300) -> Done:
        """Run a command to its end."""
        begin = time.monotonic()
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        done = Done(process.returncode, out, err, time.monotonic() - begin)
        assert "Traceback" not in done.said, done.said
        return done

    def newest(self) -> Path:
        """The run folder of the newest run."""
        runs = [RunFolder.open(path.parent) for path in self.runs.glob("*/run.json")]
        return max(runs, key=lambda run: run.begun).path

    def result(self) -> RunResult:
        """The result of the newest run, as it was written."""
        return RunResult.model_validate_json((self.newest() / "result.json").read_text())


@contextmanager
def a_desk(folder: Path) -> Iterator[Desk]:
    """A desk whose runs leave nothing. Its TMPDIR has a short path, because sockets in it may have no long ones."""
    desk = Desk(folder, Path(tempfile.mkdtemp(prefix="e2e-it-", dir="/tmp")))
    try:
        yield desk
    finally:
        destroy_runs(desk.runs, desk.home)
        shutil.rmtree(desk.scratch)


def destroy_runs(runs: Path, home: Path) -> None:
    """Remove what runs have left, and remember them for the end of the session."""
    for manifest in runs.glob("*/run.json"):
        run = RunFolder.open(manifest.parent)
        MADE.update((home, test.deployment) for test in run.manifest().tests)
        destroy_run(run, lambda name: LocalProvider(home), at=time.time())


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of this size at a folder; at the end nobody may have a file in it open."""
    folder.mkdir(exist_ok=True)
    options = f"size={size},mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small-disk", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


# ---- the API, with acts in between


class MakeNodes(StepType[StepOptions]):
    """`deploy` without PostgreSQL: nodes that answer, in two seconds."""

    name = "make_nodes"
    summary = "Create nodes with nothing on them"
    options = StepOptions

    def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
        """As `deploy` begins."""
        task = {"name": "Wait", "await_node": {"until": "reachable", "deadline_seconds": 30}}
        wait = play("Wait for the nodes", context.nodes, tasks=[task])
        return CompiledStep(
            plays=[provision("present", context), wait], hosts=context.nodes, brings_back=context.nodes
        )


PLUGIN = """
from real_runs import MakeNodes

from e2e_ansible.steps.registry import register

register(MakeNodes)
"""
Act = Callable[[Cluster], object]


@dataclass
class Meddler:
    """A listener that acts on the nodes when a step or a task begins; the first of each name counts."""

    acts: Mapping[str, Act]
    folder: Path
    deployment: str = ""
    types: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def __call__(self, notice: Notice) -> None:
        """Act, if this is the moment."""
        match notice:
            case TestStarted():
                self.deployment = notice.deployment_id
                self.types = {step.id: step.type for step in notice.steps}
            case StepStarted():
                self._act(self.types[notice.step])
            case TaskStarted():
                self._act(notice.task)

    def _act(self, name: str) -> None:
        if name in self.acts and name not in self.done:
            self.done.append(name)
            try:
                self.acts[name](Cluster(get_provider("local"), self.deployment, self.folder))
            except Exception as error:
                self.errors.append(error)


@dataclass(frozen=True)
class Real:
    """A run that has ended and left nothing."""

    result: RunResult
    folder: Path

    @property
    def test(self) -> TestResult:
        """Its only test."""
        return self.result.tests[0]

    def step(self, type_: str) -> StepResult:
        """The last step of a type."""
        return [step for step in self.test.workflow_steps if step.step_type == type_][-1]

    def decided(self, type_: str) -> tuple[Verdict | None, Cause | None]:
        """Verdict and cause of the test, which are those of this step."""
        step = self.step(type_)
        assert (self.test.verdict, self.test.cause) == (step.verdict, step.cause), self.test.error
        return step.verdict, step.cause


def run_steps(
    folder: Path,
    steps: Steps,
    *,
    acts: Mapping[str, Act] | None = None,
    defaults: Mapping[str, object] | None = None,
    engine: Engine | None = None,
    size: int = 1,
    **parameters: Any,
) -> Real:
    """Run one test through the API and see that nothing is left.

    `acts` are done when a step of that type, or a task of that name, begins; `defaults` take the place of defaults of
    roles, so that nobody waits minutes for a proof that never comes.
    """
    plan = compiled(folder, one_test(steps, size=size, **parameters), defaults or {})
    with runs_below(folder) as runs:
        real = run_plan(plan, runs, acts or {}, engine)
        assert traces(real.folder) == []
    return real


def run_plan(plan: Plan, runs: Path, acts: Mapping[str, Act], engine: Engine | None = None) -> Real:
    """Run one plan and do the acts in between."""
    meddler = Meddler(acts, runs.parent)
    result = api.run([plan], runs=runs, listeners=[meddler], engine=engine)
    assert meddler.errors == []
    assert meddler.done == list(acts)
    return Real(result, runs / result.run_id)


@contextmanager
def runs_below(folder: Path) -> Iterator[Path]:
    """A folder for runs; what they have left is removed at the end."""
    runs = folder / "runs"
    try:
        yield runs
    finally:
        destroy_runs(runs, default_home())


def compiled(folder: Path, test: Mapping[str, Any], defaults: Mapping[str, object]) -> Plan:
    """The plan of a test, which may use the step `make_nodes`, with other defaults of roles."""
    words = Vocabulary.default()
    types = {**words.step_types, MakeNodes.name: MakeNodes()}
    suite = write_suite(folder / "suite.json", test=test)
    loaded = load_suite(suite, vocabulary=Vocabulary(types, words.checks, words.providers))
    (plan,) = compile_suite(loaded, types)
    more = {"inventory/group_vars/all.json": json.dumps(defaults)} if defaults else {}
    return plan.model_copy(update={"files": {**plan.files, **more}})
