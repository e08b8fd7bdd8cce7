"""The pytest plugin in sessions of its own: green and red suites, clusters, workers, and whatever interrupts them."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_projects import Project, counted, properties
from real_runs import Desk, one_test, write_suite
from role_nodes import REPOSITORY

COMMAND = {"step": "custom_command", "custom_command": ["true"]}
BROKEN = {"step": "custom_command", "custom_command": ["sh", "-c", "echo it is broken >&2; exit 3"]}
NODES = one_test([{"step": "make_nodes"}, {"step": "destroy"}])
#: Nodes for a fixture, without PostgreSQL on them.
SHARED = one_test([{"step": "make_nodes"}, {**COMMAND, "phase": "any"}])
CHECKS = """
from e2e_ansible.api import ValidationRegistry

def nobody_knows(context):
    raise RuntimeError("no idea")

ValidationRegistry.register("nobody_knows", "Nobody knows", nobody_knows)
"""
HOLDS = """
import os, signal, time
from pathlib import Path
import pytest
from e2e_ansible.deadline import Deadline

pytestmark = pytest.mark.e2e_cluster(suite="nodes.e2e.json")

def test_before(e2e_cluster):
    assert e2e_cluster.addresses["n11"]

def test_it(e2e_cluster):
    Path("deployed").touch()
    END
"""


@pytest.fixture
def project(desk: Desk) -> Iterator[Project]:
    made = Project(desk)
    yield made
    assert made.left() == []


def with_nodes(project: Project) -> None:
    """Let suites make nodes without PostgreSQL."""
    path = project.desk.variables["PYTHONPATH"]
    project.desk.allow_make_nodes()
    project.desk.variables["PYTHONPATH"] = path


# ---- the example


@pytest.mark.nodes
def test_the_example_project_passes_with_two_workers_and_its_results_are_read_later(desk: Desk) -> None:
    shutil.copytree(REPOSITORY / "examples/pytest", desk.folder, dirs_exist_ok=True)
    project = Project(desk)
    words = ("-n", "2", "--dist", "loadfile", "--e2e-max-nodes", "2", "--junitxml", "junit.xml")
    done = project.session(*words, "crash.e2e.yaml", "test_cluster.py")
    assert (done.code, counted(done)) == (0, {"passed": 4}), done.out
    found = next(
        each for name, each in properties(desk.folder / "junit.xml").items() if name.startswith("crash")
    )
    assert (found["verdict"], found["cause"], found["client.app.lost"]) == ("pass", "", "0")
    assert float(found["client.app.outage_writes_seconds"]) > 0
    assert (desk.folder / found["run_folder"] / "report.html").is_file()
    assert found["run_folder"] in done.out
    assert len(list(desk.runs.iterdir())) == 2  # the tests of the cluster stayed on one worker
    assert project.left() == []
    again = project.session("--e2e-results", found["run_folder"], "test_results.py")
    assert (again.code, counted(again)) == (0, {"passed": 1}), again.out


# ---- red


def test_what_does_not_pass_says_whose_trouble_it_is_and_where_to_look(project: Project) -> None:
    (project.desk.folder / "e2e_plugins").mkdir()
    (project.desk.folder / "e2e_plugins/checks.py").write_text(CHECKS)
    unknown = one_test([{"step": "init"}, {"step": "validate", "checks": ["nobody_knows"]}])
    needs = {**one_test([COMMAND]), "requirements": {"commands": ["no-such-command"]}}
    project.suite("red", good=one_test([COMMAND]), bad=one_test([BROKEN]), unknown=unknown, needs=needs)
    done = project.session("--e2e-allow-plugins", "--junitxml", "junit.xml")
    assert (done.code, counted(done)) == (1, {"passed": 1, "failed": 3}), done.out
    assert "Traceback" not in done.out
    assert "FAILED red.e2e.json::bad - FAIL, product" in done.out
    for told in (
        "step 1 custom_command: FAIL, product: the cluster under test",
        "localhost failed in 'Run the command': it is broken",
        "suite red.e2e.json:",
        '| fatal: [localhost]: FAILED! => {"changed": true, "cmd": ["sh", "-c", "echo it is broken',
        "again pytest --e2e-allow-plugins red.e2e.json::bad",
        "FAIL, infrastructure: not the product under test error: this machine does not have",
        "the command 'no-such-command' is not there",
        "UNKNOWN, infrastructure: not the product under test",
        "nobody_knows was not decided",
    ):
        assert told in done.said
    found = properties(project.desk.folder / "junit.xml")
    assert (found["bad"]["verdict"], found["bad"]["cause"]) == ("fail", "product")
    assert found["unknown"]["verdict"] == "unknown"
    assert f"report {found['bad']['run_folder']}/report.html" in done.said


def test_a_test_runs_suites_and_looks_at_their_results(project: Project) -> None:
    sites = {**one_test([COMMAND], database="patroni", sites={"site_a": 1, "site_b": 1})}
    del sites["parameters"]["cluster_size"]
    write_suite(
        project.desk.folder / "run.json", good=one_test([COMMAND]), bad=one_test([BROKEN]), sites=sites
    )
    project.python(
        "run",
        "import pytest\nfrom e2e_ansible.errors import UsageError\n"
        "def test_verdicts(e2e_run, e2e_results):\n"
        "    assert e2e_run('run.json', test='good').verdict == 'pass'\n"
        "    first = e2e_run.folder\n"
        "    bad = e2e_run('run.json', test='bad')\n"
        "    assert (bad.verdict, bad.cause) == ('fail', 'product')\n"
        "    assert (first, e2e_run.folder) == e2e_results.folders\n"
        "    assert e2e_results.run == bad\n"
        "    with pytest.raises(UsageError, match='no test') as caught:\n"
        "        e2e_results.test('god')\n"
        "    assert 'good' in caught.value.hint\n"
        "    with pytest.raises(UsageError, match='several tests'):\n"
        "        e2e_run('run.json')\n"
        "def test_cycles(e2e_run):\n"
        "    result = e2e_run('run.json', test='good', cycles=2)\n"
        "    assert (result.soak.cycles, result.soak.passed) == (2, 2)\n"
        "def test_sites(e2e_run):\n"
        "    e2e_run('run.json', test='sites')\n",
    )
    done = project.session("--e2e-cooldown", "0", "-rs", "-k", "not verdicts")
    assert (done.code, counted(done)) == (0, {"passed": 1, "skipped": 1}), done.out
    assert "no contexts: run.json has the sites site_a and site_b" in done.said
    done = project.session("-k", "verdicts")
    assert (done.code, counted(done)) == (0, {"passed": 1}), done.out
    dry = project.session("--e2e-dry-run", "-rs")
    assert (dry.code, counted(dry)) == (0, {"skipped": 3}), dry.out


@pytest.mark.nodes
def test_a_cluster_that_cannot_be_set_up_is_an_error_and_is_removed(project: Project) -> None:
    with_nodes(project)
    broken = one_test([{"step": "make_nodes"}, {**BROKEN, "target_node": "n11"}, {**COMMAND, "phase": "any"}])
    project.suite("nodes", test=broken)
    project.python("it", HOLDS.replace("END", "pass"))
    done = project.session("test_it.py")
    assert (done.code, counted(done)) == (1, {"errors": 2}), done.out
    assert "the cluster was not set up: FAIL, product" in done.said
    assert "it is broken" in done.out
    assert "Traceback" not in done.out
    assert not (project.desk.folder / "deployed").exists()
    assert [run.tests[0].verdict for run in project.runs()] == ["fail"]


@pytest.mark.nodes
def test_steps_that_a_cluster_cannot_have_are_told_with_the_line_of_their_file(project: Project) -> None:
    with_nodes(project)
    project.suite("nodes", test=SHARED)
    project.python(
        "it",
        "import pytest\nfrom e2e_ansible.errors import UsageError\n"
        "pytestmark = pytest.mark.e2e_cluster(suite='nodes.e2e.json', keep='always')\n"
        "def test_it(e2e_cluster):\n"
        "    with pytest.raises(UsageError, match='001-steps.json:.*removes the nodes'):\n"
        "        e2e_cluster.run([{'step': 'destroy'}])\n"
        "    with pytest.raises(UsageError, match='needs the client that only .deploy. starts'):\n"
        "        e2e_cluster.run([{'step': 'validate', 'checks': ['data_integrity']}])\n"
        "    with pytest.raises(UsageError, match=\"003-check.json:.*unknown check 'cluster_statu'\"):\n"
        "        e2e_cluster.check('cluster_statu')\n"
        "    with pytest.raises(AssertionError, match='node_status:n11:stopped failed'):\n"
        "        e2e_cluster.check('node_status:n11:stopped')\n"
        "    assert e2e_cluster.check('node_status:n11', attempts=5).success\n",
    )
    done = project.session("test_it.py")
    assert (done.code, counted(done)) == (0, {"passed": 1}), done.out
    assert project.left() != []  # kept, as the marker says
    kept = project.desk.newest().name
    assert project.desk.call("destroy", kept).code == 0


# ---- workers and their budget


@pytest.mark.nodes
def test_workers_share_the_budget_of_nodes(project: Project) -> None:
    with_nodes(project)
    project.suite("two", first=NODES, second=NODES)
    done = project.session("-n", "2", "--e2e-max-nodes", "1")
    assert (done.code, counted(done)) == (0, {"passed": 2}), done.out
    one, other = sorted((run.started or 0, run.ended or 0) for run in project.runs())
    assert one[1] <= other[0]


def test_what_never_fits_is_an_error_and_no_hang(project: Project) -> None:
    project.suite("large", large=one_test([COMMAND], size=2), small=one_test([COMMAND]))
    done = project.session("-n", "2", "--e2e-max-nodes", "1")
    assert (done.code, counted(done)) == (1, {"passed": 1, "failed": 1}), done.out
    assert "2 nodes are more than the budget of 1" in done.said
    assert "--e2e-max-nodes" in done.said


@pytest.mark.nodes
def test_the_nodes_of_a_worker_that_was_killed_are_removed(project: Project) -> None:
    with_nodes(project)
    project.suite("nodes", test=SHARED)
    project.python("it", HOLDS.replace("END", "os.kill(os.getpid(), signal.SIGKILL)"))
    done = project.session("-n", "1", "--max-worker-restart", "0", "test_it.py")
    assert done.code == 1
    assert "crashed while running" in done.said
    assert "was lost: deployment cluster-" in done.said
    assert (project.desk.folder / "deployed").exists()


# ---- interrupts, and going on


@pytest.mark.nodes
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_session_removes_its_cluster(project: Project, number: int) -> None:
    with_nodes(project)
    project.suite("nodes", test=SHARED)
    project.python("it", HOLDS.replace("END", "Deadline(300).wait_for(lambda: False)"))
    with project.start("test_it.py") as process:
        project.appears("deployed")
        os.kill(process.pid, number)
        done = project.end(process)
    assert done.code == pytest.ExitCode.INTERRUPTED, done.out
    assert [run.finished for run in project.runs()] == [True]


def test_an_interrupted_suite_is_told_and_ends_the_session(project: Project) -> None:
    steps = [{"step": "custom_command", "custom_command": ["sh", "-c", "touch begun; sleep 300"]}]
    project.suite("long", first=one_test(steps), second=one_test([COMMAND]))
    with project.start() as process:
        project.appears("begun")
        os.kill(process.pid, signal.SIGINT)
        done = project.end(process)
    assert (done.code, counted(done)) == (pytest.ExitCode.INTERRUPTED, {"failed": 1}), done.out
    assert "UNKNOWN, interrupt" in done.said


def test_cycles_go_on_after_a_kill_with_the_same_counts(project: Project, tmp_path: Path) -> None:
    (tmp_path / "blocked").touch()
    block = "echo >> count; test $(wc -l < count) != 2 || { touch second; test ! -e blocked || sleep 300; }"
    note = {"step": "custom_command", "custom_command": ["sh", "-c", block], "phase": "one"}
    project.suite("soak", soak=one_test([note]))
    words = ("--e2e-cycles", "3", "--e2e-cooldown", "0")
    with project.start(*words) as process:
        project.appears("second")
        os.killpg(process.pid, signal.SIGKILL)
        project.end(process)
    (tmp_path / "blocked").unlink()
    done = project.session(*words, "--e2e-resume", "--junitxml", "junit.xml")
    assert (done.code, counted(done)) == (1, {"failed": 1}), done.out
    assert "goes on with runs/" in done.out
    assert "the run died in attempt 1" in done.out  # what may not be repeated is unknown, never a pass
    found = properties(tmp_path / "junit.xml")["soak"]
    assert [found[f"soak.{name}"] for name in ("cycles", "passed", "unknown")] == ["3", "2", "1"]
    assert len(list(project.desk.runs.iterdir())) == 1
    anew = project.session("--e2e-cycles", "1", "--e2e-resume", "-rA")
    assert (anew.code, counted(anew)) == (0, {"passed": 1}), anew.out
    assert "begins anew" in anew.out
    assert len(list(project.desk.runs.iterdir())) == 2
