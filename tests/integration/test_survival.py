"""Deaths of a run that are not a kill between two steps: beside other things, without disk, terminal or nodes."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from held_runs import Killer, lines
from real_runs import Desk, destroy_runs, one_test, small_disk, traces, write_suite

from e2e_ansible.deadline import Deadline
from e2e_ansible.faults.ledger import read
from e2e_ansible.judge.result import TestResult
from e2e_ansible.oracle.histories import Histories
from e2e_ansible.oracle.history import Event, acknowledged
from e2e_ansible.providers.registry import get_provider
from e2e_ansible.run.folder import TestFolder

pytestmark = pytest.mark.nodes

PLUGIN = """
from typing import Annotated

from pydantic import Field

from e2e_ansible.api import CompiledStep, CompileContext, Replay, StepOptions, StepType, Unsafe, play, register


class ScriptOptions(StepOptions):
    scripts: Annotated[tuple[str, ...], Field(strict=False)]
    target_node: str | None = None


class Scripts(StepType[ScriptOptions]):
    name = "scripts"
    summary = "Run scripts that may be repeated"
    options = ScriptOptions

    def compile(self, options: ScriptOptions, context: CompileContext) -> CompiledStep:
        where = options.target_node or "localhost"
        tasks = [
            {"name": f"Script {number}", "ansible.builtin.command": {"argv": ["sh", "-c", Unsafe(text)]}}
            for number, text in enumerate(options.scripts)
        ]
        more = {} if options.target_node else {"connection": "local"}
        return CompiledStep([play("Run scripts", (where,), tasks=tasks, **more)], (where,), replay=Replay.REPEATABLE)


register(Scripts)
"""
UNIT = """[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo boot >>/var/lib/boots; sync /var/lib/boots'
[Install]
WantedBy=multi-user.target
"""
ENABLE = f"cat >/etc/systemd/system/boots.service <<'END'\n{UNIT}END\nsystemctl enable boots"
LONG_SECONDS = 120
NODES: dict[str, Any] = {"step": "make_nodes"}
CUT: dict[str, Any] = {"step": "fault", "name": "cut", "fault": "partition", "target": "n12"}
CLIENT: dict[str, Any] = {"client": "there", "place": "client"}


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """One whose suites may make nodes and run scripts."""
    desk.allow_make_nodes()
    (desk.folder / "e2e_plugins/scripts.py").write_text(PLUGIN)
    return desk


def scripts(name: str, *texts: str, **more: Any) -> dict[str, Any]:
    """A step of scripts, on the controller if no node is said."""
    return {"step": "scripts", "name": name, "scripts": texts, **more}


LATER = scripts("later", "true", target_node="n11")


def stay(desk: Desk) -> dict[str, Any]:
    """A step that says that it has begun and ends when somebody says `enough`."""
    text = f"touch {desk.folder}/begun; while [ ! -e {desk.folder}/enough ]; do sleep 0.05; done"
    return scripts("stay", text)


def suite(desk: Desk, *steps: Mapping[str, Any], size: int = 1, **more: Any) -> str:
    return str(write_suite(desk.folder / "suite.json", test=one_test(steps, size=size, **more)))


def result_of(desk: Desk) -> TestResult:
    """The only test of the newest run."""
    (test,) = desk.result().tests
    return test


def folder_of(desk: Desk) -> TestFolder:
    """Its folder."""
    (path,) = desk.newest().glob("tests/*")
    return TestFolder(path)


def await_begun(desk: Desk) -> None:
    """Until the step `stay` is under way."""
    assert Deadline(LONG_SECONDS).wait_for((desk.folder / "begun").exists, 0.02)


# ---- kill -9 inside of what runs beside other things

BESIDE: list[dict[str, Any]] = [
    {"step": "deploy"},
    scripts("boots", ENABLE, target_node="n12"),
    {"step": "start_client", **CLIENT, "rate": 20},
    {
        "step": "hypothesis",
        "name": "steady",
        "checks": ["node_status:n11", "no_lost_rows:there"],
        "during": ["node_status:n11"],
        "every_seconds": 0.2,
        "retry": {"max_attempts": 20, "delay_seconds": 0.5},
        "steps": [
            scripts(
                "load",
                "echo >>/var/tmp/load",
                "while [ ! -e /var/tmp/enough ]; do sleep 0.1; done",
                target_node="c11",
                background=True,
            ),
            {
                "step": "group",
                "name": "both",
                "parallel": True,
                "steps": [
                    {
                        "step": "fault",
                        "name": "crash",
                        "fault": "crash",
                        "target": "n12",
                        "for_seconds": 0.5,
                    },
                    {
                        "step": "fault",
                        "name": "alone",
                        "fault": "partition",
                        "target": "c11",
                        "for_seconds": 0.5,
                    },
                ],
            },
            scripts("enough", "touch /var/tmp/enough", target_node="c11"),
            {"step": "wait", "for": ["load"]},
        ],
    },
    {"step": "stop_client", **CLIENT},
    scripts("once", "test $(wc -l </var/lib/boots) = 1", target_node="n12"),
]


def test_kills_beside_a_load_a_watch_a_crash_that_returns_and_a_client_on_a_node(desk: Desk) -> None:
    killer = Killer(desk, boundaries=False)
    killer.drive("run", suite(desk, *BESIDE, size=2, database="standalone", clients=1))
    test = result_of(desk)
    print(len(killer.struck), "kills:", *killer.struck, sep="\n")
    assert (test.verdict, test.error) == ("pass", None)
    steps = list(killer.steps)
    assert killer.struck_inside == set(steps)
    assert len(test.resumptions) == len(killer.struck)
    _see_that_faults_came_once(killer.test)
    ended = [entry["step"] for entry in lines(killer.test.journal) if entry["kind"] == "step_ended"]
    assert sorted(ended) == sorted(steps), "each came to its end once"
    _see_that_the_client_went_on(killer.test)
    assert traces(desk.newest()) == []


def _see_that_faults_came_once(folder: TestFolder) -> None:
    """What was intended may be intended again; how often n12 has booted it has counted itself."""
    faults = read(folder.faults)
    assert {(fault.fault, fault.node) for fault in faults} == {
        ("crash", "n12"),
        ("crash_node", "n12"),
        ("partition", "c11"),
    }
    assert [fault.id for fault in faults if fault.open or not fault.effect_proved] == []
    assert [fault.id for fault in faults if fault.healed and (fault.effect or 0) > fault.healed] == []
    acts = [(line["event"], line.get("fault")) for line in lines(folder.faults)]
    assert acts.count(("intended", "crash")) == 1, "not begun again after it was healed"
    assert acts.count(("injected", None)) <= 1


def _see_that_the_client_went_on(folder: TestFolder) -> None:
    """It lives on a node, so no kill of the run begins it again."""
    records = Histories(folder.path).whole()["there"]
    assert [record.event for record in records].count(Event.START) == 1
    assert records[-1].event is Event.STOP
    assert len(acknowledged(records)) > 0


# ---- a full disk


@contextmanager
def little_space(desk: Desk) -> Iterator[None]:
    """Run folders on a small disk of their own, which nothing that a run has left keeps busy at the end."""
    with small_disk(desk.runs, "8m"):
        try:
            yield
        finally:
            destroy_runs(desk.runs, desk.home)


def fill(desk: Desk, *then: str) -> dict[str, Any]:
    """A step that leaves no space for the run, once."""
    marker, ballast = desk.folder / "filled", desk.runs / "ballast"
    text = f"test -e {marker} || cat /dev/zero >{ballast} 2>/dev/null; touch {marker}"
    return scripts("fill", "; ".join([text, *then]))


def _see_that_it_is_known_without_space(desk: Desk, words: str) -> None:
    shown = desk.call("report")
    assert shown.code == 4
    assert words in shown.said
    assert f"the run folder {desk.newest()} cannot be written: [Errno 28] No space left" in shown.said


def _lives(word: str) -> bool:
    """Whether a process has this in its arguments."""
    with suppress(OSError):
        return any(word.encode() in path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline"))
    return True  # one has just ended; look again


def test_a_disk_that_fills_up_ends_the_run_and_keeps_no_nodes(desk: Desk) -> None:
    with little_space(desk):
        done = desk.call("run", suite(desk, NODES, CUT, fill(desk), LATER, size=2))
        assert done.code == 4, done.said
        assert f"the run folder {desk.newest()} cannot be written: [Errno 28] No space left" in done.said
        assert traces(desk.newest()) == []
        _see_that_it_is_known_without_space(desk, "partition")
        (desk.runs / "ballast").unlink()
        told = desk.call("report")
        # A last line of the journal may have found room in a block that was not full.
        decided = (told.code, result_of(desk).verdict, result_of(desk).cause)
        assert decided in ((3, "unknown", "harness"), (4, "fail", "infrastructure")), told.said
        assert desk.call("resume").code == 2
        assert desk.call("destroy").code == 0


def test_a_run_that_dies_on_a_full_disk_goes_on_when_there_is_space(desk: Desk) -> None:
    """Its client on the controller has died as well, for it could note nothing more."""
    steps: list[dict[str, Any]] = [
        {"step": "deploy"},
        {"step": "start_client", "client": "here", "rate": 50},
        fill(desk, f"while [ ! -e {desk.folder}/enough ]; do sleep 0.05; done"),
        {"step": "stop_client", "client": "here"},
        {"step": "validate", "checks": ["cluster_status", "no_lost_rows:here"]},
    ]
    with little_space(desk):
        with desk.start("run", suite(desk, *steps)) as process:
            assert Deadline(LONG_SECONDS).wait_for((desk.folder / "filled").exists, 0.02)
            assert Deadline(LONG_SECONDS).wait_for(
                lambda: not _lives(f"{desk.newest()}/tests/test/histories")
            )
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=60)
        _see_that_it_is_known_without_space(desk, "the run was killed in this step")
        (desk.runs / "ballast").unlink()
        (desk.folder / "enough").touch()
        over = desk.call("resume")
        assert over.code == 0, over.said
        test = result_of(desk)
        assert (test.verdict, test.error, len(test.resumptions)) == ("pass", None, 1)
        records = Histories(folder_of(desk).path).whole()["here"]
        assert [record.event for record in records].count(Event.START) == 2
        assert records[-1].event is Event.STOP
        assert traces(desk.newest()) == []


# ---- nodes that are gone


def _see_that_the_nodes_are_missed(desk: Desk) -> None:
    before = folder_of(desk).journal.read_bytes()
    refused = desk.call("resume")
    assert refused.code == 2
    deployment = result_of(desk).deployment_id
    assert f"the nodes of test were removed: there is no deployment {deployment}" in refused.said
    assert f"hint: start anew: e2e-ansible rerun {desk.newest().name}" in refused.said
    assert folder_of(desk).journal.read_bytes() == before, "nothing was done"


def test_nodes_that_were_removed_behind_the_back_of_a_run(desk: Desk) -> None:
    with desk.start("run", suite(desk, NODES, stay(desk), LATER)) as process:
        await_begun(desk)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    assert desk.call("report").code == 3
    get_provider("local").destroy(result_of(desk).deployment_id)
    _see_that_the_nodes_are_missed(desk)
    assert desk.call("destroy").code == 0
    assert traces(desk.newest()) == []


# ---- signals and terminals


def _see_an_orderly_end(desk: Desk) -> None:
    """The fault is healed, logs are collected, the nodes are gone, and a report says so."""
    shown = desk.call("report")
    assert shown.code == 130, shown.said
    test = result_of(desk)
    assert (test.verdict, test.cause) == ("unknown", "interrupt"), test.error
    assert [fault.name for fault in read(folder_of(desk).faults) if fault.open] == []
    (evidence,) = test.evidence
    assert (folder_of(desk).path / evidence / "n12/journal.txt").stat().st_size > 0
    assert "was removed" in test.clean_up
    assert "has ended" in desk.call("resume").said
    assert traces(desk.newest()) == []


def test_a_polite_request_to_end(desk: Desk) -> None:
    with desk.start("run", suite(desk, NODES, CUT, stay(desk), size=2)) as process:
        await_begun(desk)
        process.terminate()
        out, err = process.communicate(timeout=LONG_SECONDS)
    assert process.returncode == 130, out + err
    _see_an_orderly_end(desk)


def test_what_two_interrupts_have_left_goes_on(desk: Desk) -> None:
    """The second one comes while logs are collected: the first is known by what the run says."""
    with desk.start("run", suite(desk, NODES, CUT, stay(desk), size=2)) as process:
        await_begun(desk)
        os.killpg(process.pid, signal.SIGINT)
        log = folder_of(desk).log
        assert Deadline(LONG_SECONDS).wait_for(lambda: "interrupted" in log.read_text(), 0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=LONG_SECONDS)
    said = " ".join((out + err).split())
    assert process.returncode == 130, said
    assert [fault.name for fault in read(folder_of(desk).faults) if fault.open] == ["cut"]
    assert result_of(desk).kept
    command = f"e2e-ansible resume {desk.newest().name}"
    assert command in said
    assert command in desk.call("report").said
    (desk.folder / "enough").touch()
    done = desk.call("resume", desk.newest().name)
    assert done.code == 0, done.said
    test = result_of(desk)
    assert (test.verdict, test.error, len(test.resumptions)) == ("pass", None, 1)
    assert len(read(folder_of(desk).faults)) == 1
    assert [fault.name for fault in read(folder_of(desk).faults) if fault.open] == []
    assert traces(desk.newest()) == []


@dataclass
class Terminal:
    """A terminal with a run in it. Somebody must read what is shown, or the run waits for that."""

    process: subprocess.Popen[bytes]
    end: int
    shown: bytes = b""
    over: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        """Take what is shown until it hangs up."""
        while not self.over.is_set():
            ready, _, _ = select.select([self.end], [], [], 0.05)
            self.shown += os.read(self.end, 65536) if ready else b""

    def hang_up(self) -> None:
        """Close it, as a lost connection or a closed window does."""
        self.over.set()
        self.reader.join()
        os.close(self.end)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()


@contextmanager
def in_a_terminal(desk: Desk, *arguments: str, nohup: bool = False) -> Iterator[Terminal]:
    """A run whose session has this terminal, as a shell in a window gives it one."""
    end, line = os.openpty()
    deaf = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"] if nohup else []
    process = subprocess.Popen(
        ["setsid", "--ctty", *deaf, sys.executable, "-m", "e2e_ansible", *arguments],
        cwd=desk.folder,
        env={**desk.environment(), "TERM": "xterm"},
        stdin=line,
        stdout=line,
        stderr=line,
    )
    os.close(line)
    try:
        yield Terminal(process, end)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)


def test_a_terminal_that_goes_away_is_an_interrupt(desk: Desk) -> None:
    with in_a_terminal(desk, "run", suite(desk, NODES, CUT, stay(desk), size=2)) as terminal:
        await_begun(desk)
        terminal.hang_up()
        assert terminal.process.wait(LONG_SECONDS) == 130
    _see_an_orderly_end(desk)


def test_a_run_that_was_told_to_outlive_its_terminal(desk: Desk) -> None:
    with in_a_terminal(desk, "run", suite(desk, NODES, stay(desk)), nohup=True) as terminal:
        await_begun(desk)
        terminal.hang_up()
        (desk.folder / "enough").touch()
        assert terminal.process.wait(LONG_SECONDS) == 0
    shown = desk.call("report")
    assert (shown.code, result_of(desk).verdict) == (0, "pass"), shown.said
    assert traces(desk.newest()) == []


# ---- two at once


def test_only_one_process_goes_on_with_a_run(desk: Desk) -> None:
    with desk.start("run", suite(desk, NODES, stay(desk))) as process:
        await_begun(desk)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    (desk.folder / "begun").unlink()
    with desk.start("resume") as first:
        await_begun(desk)
        second = desk.call("resume")
        assert second.code == 2
        assert f"{desk.newest()} is still running hint: interrupt it first" in second.said
        (desk.folder / "enough").touch()
        out, err = first.communicate(timeout=LONG_SECONDS)
    assert first.returncode == 0, out + err
    assert len(result_of(desk).resumptions) == 1
    assert traces(desk.newest()) == []
