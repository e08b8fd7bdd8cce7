"""Both engines with real playbooks on this machine: events as they happen, every way to end, nothing left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import pytest
from warm_family import playing

from e2e_ansible.compile.compiler import ANSIBLE_CFG
from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.processes import end_all, marked
from e2e_ansible.engine.protocol import Cancel, Ended, Outcome, PlayRequest
from e2e_ansible.engine.runner import RunnerEngine
from e2e_ansible.engine.warm.engine import WarmEngine
from e2e_ansible.run.journal import read_events

REPOSITORY = Path(__file__).parents[2]
SECRET = f"canary-{uuid.uuid4().hex}"
LONG = 60
HOSTS = """\
localhost ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"
silent ansible_host=127.0.0.1 ansible_port=1 ansible_connection=ssh
"""
PLAY = "- name: Play\n  hosts: {hosts}\n  gather_facts: false\n  tasks:\n"


def play(*tasks: str, hosts: str = "localhost") -> str:
    """A playbook of one play; each task is an action in one line, named by its number."""
    lines = [f"    - name: Task {number}\n      {task}\n" for number, task in enumerate(tasks, start=1)]
    return PLAY.format(hosts=hosts) + "".join(lines)


def command(*words: str) -> str:
    """A task that runs a command."""
    return f"ansible.builtin.command: {{argv: {[*words]!r}}}"


@dataclass
class Desk:
    """A plan folder with an inventory, and what one run of a playbook in it showed."""

    folder: Path
    engine: RunnerEngine | WarmEngine
    token: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex}")
    events: list[Event] = field(default_factory=list)
    cancel: Cancel = field(default_factory=Cancel)

    @property
    def artifacts(self) -> Path:
        """Where Ansible's output goes."""
        return self.folder / "artifacts"

    @property
    def kinds(self) -> list[Kind]:
        """The kinds of all events."""
        return [event.kind for event in self.events]

    def request(self, text: str, seconds: float = LONG) -> PlayRequest:
        """The playbook with this text."""
        (self.folder / "hosts").write_text(HOSTS)
        (self.folder / "ansible.cfg").write_text(ANSIBLE_CFG)
        (self.folder / "play.yml").write_text(text)
        self.artifacts.mkdir(exist_ok=True)
        return PlayRequest(
            project=self.folder,
            playbook="play.yml",
            inventory="hosts",
            artifacts=self.artifacts,
            deadline_seconds=seconds,
            token=self.token,
            environment={
                "ANSIBLE_HOME": str(self.folder / "home"),
                "TMPDIR": str(self.folder),
                "PASSWORD": SECRET,
            },
        )

    def run(
        self, text: str, *, seconds: float = LONG, on_event: Callable[[Event], None] | None = None
    ) -> Outcome:
        """Run a playbook; `on_event` is told after the event was kept."""

        def take(event: Event) -> None:
            self.events.append(event)
            if on_event is not None:
                on_event(event)

        outcome = self.engine.run(self.request(text, seconds), take, self.cancel)
        assert (outcome.engine, outcome.why) == (self.engine.name, "")
        return outcome

    def left(self) -> list[int]:
        """Processes of the playbook that live: by its token, and forked ones, which show none."""
        forked = playing(self.engine) if isinstance(self.engine, WarmEngine) else []
        return [*marked(self.token), *forked]


@pytest.fixture(scope="module", params=["cold", "warm"])
def engine(request: pytest.FixtureRequest) -> Iterator[RunnerEngine | WarmEngine]:
    if request.param == "cold":
        yield RunnerEngine()
        return
    made = WarmEngine(ANSIBLE_CFG, REPOSITORY, ())
    yield made
    made.close()


@pytest.fixture
def desk(tmp_path: Path, engine: RunnerEngine | WarmEngine) -> Iterator[Desk]:
    made = Desk(tmp_path, engine)
    yield made
    end_all(made.token, grace_seconds=0.5)


def when(kind: Kind, act: Callable[[], None]) -> Callable[[Event], None]:
    """Act at each event of this kind."""
    return lambda event: act() if event.kind is kind else None


@dataclass(frozen=True)
class Case:
    text: str
    ended: Ended
    rc: int | None
    last: Kind
    says: str = ""


NO_FILE = command("/no/such/program")
ENDS: Mapping[str, Case] = {
    "all is well": Case(play(command("true")), Ended.COMPLETED, 0, Kind.OK),
    "a task fails": Case(play(command("false"), command("true")), Ended.COMPLETED, 2, Kind.FAILED),
    "a program is not there": Case(play(NO_FILE), Ended.COMPLETED, 2, Kind.FAILED),
    "nobody answers": Case(play(command("true"), hosts="silent"), Ended.COMPLETED, 4, Kind.UNREACHABLE),
    "no host matches": Case(play(command("true"), hosts="nobody"), Ended.COMPLETED, 0, Kind.NO_HOSTS_MATCHED),
    "the text is no YAML": Case("- hosts: [", Ended.COMPLETED, 4, Kind.VERBOSE, "[ERROR]"),
    "there is no such module": Case(play("no_such_module:"), Ended.COMPLETED, 4, Kind.VERBOSE, "[ERROR]"),
}


@pytest.mark.parametrize("case", ENDS.values(), ids=ENDS)
def test_how_a_playbook_ends(desk: Desk, case: Case) -> None:
    outcome = desk.run(case.text)
    assert (outcome.ended, outcome.rc, outcome.message) == (case.ended, case.rc, "")
    assert [kind for kind in desk.kinds if kind not in (Kind.STATS, Kind.WARNING)][-1] is case.last
    assert case.says in "".join(event.stdout for event in desk.events)
    assert (Kind.STATS in desk.kinds) is (case.last is not Kind.VERBOSE)
    assert desk.left() == []


def test_events_come_in_order_while_the_playbook_runs(desk: Desk) -> None:
    there = desk.folder / "there"
    waits = f"ansible.builtin.wait_for: {{path: {there}, timeout: {LONG}, sleep: 1}}"
    outcome = desk.run(play(command("true"), waits), on_event=when(Kind.OK, there.touch))
    assert (outcome.ended, outcome.rc) == (Ended.COMPLETED, 0), (
        "the second task waits for the first one's event"
    )
    counters = [event.counter for event in desk.events]
    assert counters == sorted(set(counters))
    assert [event.task for event in desk.events if event.kind is Kind.OK] == ["Task 1", "Task 2"]


def test_output_of_all_playbooks_of_a_step_is_kept_in_its_log(desk: Desk) -> None:
    desk.run(play(command("true")))
    desk.run(play(command("sleep", str(LONG))), on_event=when(Kind.HOST_START, desk.cancel.set))
    log = (desk.artifacts / "ansible.log").read_text()
    assert log.count("PLAY [Play]") == 2
    assert log.count("PLAY RECAP") == 1
    assert [path.name for path in desk.artifacts.iterdir()] == ["ansible.log"]


# what runs is ended

STUBBORN = "trap '' TERM; setsid -f sleep 61; touch {up}; sleep 60; sleep 60"


def test_a_playbook_is_ended_at_its_deadline(desk: Desk) -> None:
    outcome = desk.run(play(command("sleep", str(LONG))), seconds=2)
    assert (outcome.ended, outcome.message) == (Ended.TIMEOUT, "not done after 2 s")
    assert Kind.OK not in desk.kinds
    assert desk.left() == []


def test_a_playbook_that_is_cancelled_ends_with_all_that_it_has_started(desk: Desk) -> None:
    up = desk.folder / "up"

    def once_it_is_up() -> None:
        Deadline(LONG).wait_for(up.exists)
        desk.cancel.set()

    outcome = desk.run(
        play(command("sh", "-c", STUBBORN.format(up=up))),
        on_event=when(Kind.HOST_START, threading.Thread(target=once_it_is_up).start),
    )
    assert (outcome.ended, outcome.message) == (Ended.CANCELED, "interrupted")
    assert up.exists()
    assert desk.left() == []


def test_a_cancel_while_nothing_happens_is_heard(desk: Desk) -> None:
    def later() -> None:
        threading.Timer(1, desk.cancel.set).start()

    outcome = desk.run(play(command("sleep", str(LONG))), on_event=when(Kind.HOST_START, later))
    assert outcome.ended is Ended.CANCELED
    assert desk.left() == []


def test_a_cancel_from_before_starts_nothing_that_lasts(desk: Desk) -> None:
    desk.cancel.set()
    outcome = desk.run(play(command("touch", str(desk.folder / "done")), command("sleep", str(LONG))))
    assert outcome.ended is Ended.CANCELED
    assert desk.left() == []


def test_playbooks_run_side_by_side_and_end_alone(tmp_path: Path, engine: RunnerEngine | WarmEngine) -> None:
    one, other = Desk(tmp_path / "one", engine), Desk(tmp_path / "other", engine)
    for each in (one, other):
        each.folder.mkdir()
    there = tmp_path / "there"
    waits = f"ansible.builtin.wait_for: {{path: {there}, timeout: {LONG}, sleep: 1}}"
    slow = play(command("sleep", str(LONG)))
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(one.run, play(waits))
        other_runs = pool.submit(other.run, slow, on_event=when(Kind.HOST_START, there.touch))
        assert (waiting.result().ended, waiting.result().rc) == (Ended.COMPLETED, 0)
        assert other.left()
        other.cancel.set()
        assert other_runs.result().ended is Ended.CANCELED
    assert [*one.left(), *other.left()] == []


# what goes wrong around it


def test_an_error_in_a_listener_lets_the_playbook_end_and_is_told(desk: Desk) -> None:
    done = desk.folder / "done"

    def fail() -> None:
        raise RuntimeError("no room")

    outcome = desk.run(
        play(command("true"), command("touch", str(done))), on_event=when(Kind.HOST_START, fail)
    )
    assert (outcome.ended, outcome.message) == (Ended.ERROR, "an event could not be handled: no room")
    assert done.exists()
    assert desk.kinds[-1] is Kind.STATS


def test_a_playbook_that_is_not_there_is_told(desk: Desk) -> None:
    request = desk.request(play(command("true")))
    (desk.folder / "play.yml").unlink()
    outcome = desk.engine.run(request, desk.events.append, desk.cancel)
    assert outcome.rc != 0
    assert desk.left() == []
    assert "play.yml" in (desk.artifacts / "ansible.log").read_text() + outcome.message


def kept(desk: Desk) -> list[str]:
    """Files that hold the secret; one that goes while it is looked at holds nothing."""
    found = []
    folders = [desk.folder, *([desk.engine._folder] if isinstance(desk.engine, WarmEngine) else [])]
    for place, _, names in chain.from_iterable(map(os.walk, folders)):  # unlike rglob it lets a folder go
        for name in names:
            with suppress(OSError):
                if SECRET.encode() in Path(place, name).read_bytes():
                    found.append(name)
    return found


@pytest.mark.parametrize("cancelled", [False, True], ids=["to its end", "until it is cancelled"])
def test_the_environment_is_nowhere_on_the_disk(desk: Desk, cancelled: bool) -> None:
    found: list[str] = []

    def look(event: Event) -> None:
        found.extend(kept(desk))
        if cancelled and event.kind is Kind.OK:
            desk.cancel.set()

    knows = command("sh", "-c", 'test -n "$PASSWORD"')
    outcome = desk.run(play(knows, command("sleep", str(LONG) if cancelled else "0")), on_event=look)
    assert Kind.OK in desk.kinds
    assert outcome.ended is (Ended.CANCELED if cancelled else Ended.COMPLETED)
    assert found == [], "while it runs"
    assert kept(desk) == [], "after it"


VICTIM = """\
import os, sys
from pathlib import Path
from e2e_ansible.engine.event import Kind
from e2e_ansible.engine.protocol import Cancel, PlayRequest
from e2e_ansible.compile.compiler import ANSIBLE_CFG
from e2e_ansible.engine.runner import RunnerEngine
from e2e_ansible.engine.warm.engine import WarmEngine
from e2e_ansible.run.journal import EventLog

engine = RunnerEngine() if sys.argv[4] == "cold" else WarmEngine(ANSIBLE_CFG, Path(sys.argv[5]), ())
folder, token = Path(sys.argv[1]), sys.argv[2]
log = EventLog(folder / "events.jsonl")
seen = []

def take(event):
    log.append("01-step", 1, event)
    seen.append(event.kind)
    if seen.count(Kind.HOST_START) == 2:
        print("in the middle", flush=True)

engine.run(
    PlayRequest(
        project=folder, playbook="play.yml", inventory="hosts", artifacts=folder / "artifacts",
        deadline_seconds=60, token=token,
        environment={"ANSIBLE_HOME": str(folder / "home"), "TMPDIR": str(folder), "PASSWORD": sys.argv[3]},
    ),
    take, Cancel())
"""


def test_a_kill_in_the_middle_leaves_what_happened_until_then(desk: Desk) -> None:
    desk.request(play(command("true"), command("sleep", str(LONG))))
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, desk.folder, desk.token, SECRET, desk.engine.name, REPOSITORY],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
    )
    assert victim.stdout is not None
    assert victim.stdout.readline() == b"in the middle\n"
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    victim.stdout.close()
    (events,) = read_events(desk.folder / "events.jsonl").values()
    assert [event.task for event in events if event.kind is Kind.OK] == ["Task 1"]
    assert events[-1].kind is Kind.HOST_START
    assert kept(desk) == []
    assert end_all(desk.token) == []
