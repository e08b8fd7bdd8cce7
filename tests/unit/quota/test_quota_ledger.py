"""The ledger: all or nothing, released exactly once, private, whatever processes do at the same time or die of."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from quota_home import Paper, claim, no_space, process, this_gate

from e2e_ansible.engine.processes import family
from e2e_ansible.errors import InfrastructureError
from e2e_ansible.quota.gate import give_back, settle
from e2e_ansible.quota.holder import lives
from e2e_ansible.quota.ledger import Ledger

DEAD = f"{os.getpid()} 1 boot"


def line(of: subprocess.Popen[str]) -> str:
    assert of.stdout is not None
    return of.stdout.readline().strip()


def kinds(home: Path) -> list[str]:
    return [f"{entry.kind} {entry.claim.test}" for entry in Ledger(home).entries()]


def test_what_is_taken_is_held_until_it_is_given_back(tmp_path: Path) -> None:
    gate = this_gate(tmp_path, nodes=3)
    assert gate.may_begin(claim("a", 2))
    assert not gate.may_begin(claim("b", 2))
    held, waiting = gate.ledger.state()
    assert [each.claim for each in held] == [claim("a", 2)]
    assert [each.claim for each in waiting] == [claim("b", 2)]
    assert gate.over("d-a", gone=True) is not None
    assert gate.may_begin(claim("b", 2))
    assert kinds(tmp_path) == ["reserve a", "release a", "reserve b"]


def test_it_is_private_wherever_it_is_made(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    assert this_gate(home, nodes=1).may_begin(claim("a"))
    assert stat.S_IMODE((home / "quota.sqlite").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_it_is_released_exactly_once_however_often_it_is_tried(tmp_path: Path) -> None:
    gate = this_gate(tmp_path, nodes=3)
    gate.may_begin(claim("a"))
    assert give_back("d-a", gate.ledger) == ""
    assert gate.ledger.release("d-a", "again") is None
    assert settle(gate.ledger, Paper()) == []
    assert kinds(tmp_path) == ["reserve a", "release a"]


def test_the_database_itself_refuses_a_second_release(tmp_path: Path) -> None:
    gate = this_gate(tmp_path, nodes=3)
    gate.may_begin(claim("a"))
    (held,), _ = gate.ledger.state()
    with gate.ledger.changing() as changes:
        changes.add("release", held, DEAD, "first")
    with pytest.raises(InfrastructureError, match="UNIQUE constraint"), gate.ledger.changing() as changes:
        changes.add("release", held, DEAD, "second")
    with pytest.raises(InfrastructureError, match="never changed"), gate.ledger.changing() as changes:
        changes._connection.execute("UPDATE entries SET nodes = 0")
    assert kinds(tmp_path) == ["reserve a", "release a"]


def test_a_second_reservation_of_a_deployment_is_refused(tmp_path: Path) -> None:
    gate = this_gate(tmp_path, nodes=3)
    gate.may_begin(claim("a"))
    with pytest.raises(InfrastructureError, match="UNIQUE constraint"), gate.ledger.changing() as changes:
        changes.reserve(claim("a"))


def test_after_its_release_a_deployment_may_take_again(tmp_path: Path) -> None:
    gate = this_gate(tmp_path, nodes=1)
    for _ in range(3):
        assert gate.may_begin(claim("a"))
        gate.over("d-a", gone=True)
    assert [entry.round for entry in gate.ledger.entries()] == [1, 1, 2, 2, 3, 3]


def test_old_pairs_are_forgotten_and_what_is_open_is_not(tmp_path: Path) -> None:
    now = [1_000_000.0]
    ledger = Ledger(tmp_path, now=lambda: now[0])
    for name in ("old", "open"):
        with ledger.changing() as changes:
            changes.reserve(claim(name))
    ledger.release("d-old", "gone")
    now[0] += 40 * 86_400
    with ledger.changing() as changes:
        changes.reserve(claim("new"))
    assert kinds(tmp_path) == ["reserve open", "reserve new"]


@pytest.mark.parametrize(
    "content", [b"no database at all, but some text" * 40, b"SQLite format 3\0" + b"x" * 4096]
)
def test_a_broken_file_is_told_and_nothing_is_begun(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "quota.sqlite").write_bytes(content)
    with pytest.raises(InfrastructureError, match="cannot be used") as caught:
        Ledger(tmp_path).check()
    assert "remove it" in caught.value.hint
    with pytest.raises(InfrastructureError, match="cannot be used"):
        this_gate(tmp_path, nodes=1).may_begin(claim("a"))
    assert "cannot be used" in give_back("d-a", Ledger(tmp_path))
    assert (tmp_path / "quota.sqlite").read_bytes() == content


def test_a_file_of_another_version_is_told(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "quota.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(InfrastructureError, match="it is of version 99, and this program reads version 2"):
        Ledger(tmp_path).check()


OF_VERSION_1 = """
CREATE TABLE entries (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, round INTEGER NOT NULL, at REAL NOT NULL,
  holder TEXT NOT NULL, reason TEXT NOT NULL, deployment TEXT NOT NULL, provider TEXT NOT NULL, run TEXT NOT NULL,
  test TEXT NOT NULL, nodes INTEGER NOT NULL, millicpus INTEGER NOT NULL, memory_mb INTEGER NOT NULL,
  disk_mb INTEGER NOT NULL);
CREATE TRIGGER added_only BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TABLE tickets (ticket INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, holder TEXT NOT NULL,
  budget TEXT NOT NULL, nested INTEGER NOT NULL, deployment TEXT NOT NULL, provider TEXT NOT NULL, run TEXT NOT NULL,
  test TEXT NOT NULL, nodes INTEGER NOT NULL, millicpus INTEGER NOT NULL, memory_mb INTEGER NOT NULL,
  disk_mb INTEGER NOT NULL, UNIQUE (deployment));
INSERT INTO entries VALUES (1, 'reserve', 1, 0.0, '1 1 boot', '', 'd-old', 'local', 'run-old', 'old', 2, 0, 0, 0);
PRAGMA user_version = 1;
"""


def test_a_ledger_that_knows_no_folders_yet_opens_and_goes_on(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "quota.sqlite")) as connection:
        connection.executescript(OF_VERSION_1)
    ledger = Ledger(tmp_path)
    (old,), _ = ledger.state()
    assert old.claim == claim("old", 2)
    assert old.claim.command("destroy") == "e2e-ansible destroy run-old"
    gate = this_gate(tmp_path, nodes=3, paper=Paper(None))
    assert gate.may_begin(replace(claim("new"), folder="/elsewhere/run-new"))
    assert [each.claim.folder for each in ledger.state()[0]] == ["", "/elsewhere/run-new"]
    ledger.release("d-old", "gone")
    assert kinds(tmp_path) == ["reserve old", "reserve new", "release old"]


def test_a_command_names_the_folder_of_its_runs_unless_that_is_the_usual_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = replace(claim("a"), folder=str(tmp_path.resolve() / "runs" / "run-a"))
    assert here.command("destroy") == "e2e-ansible destroy run-a"
    there = replace(claim("a"), folder="/var/my runs/run-a")
    assert there.command("resume") == "e2e-ansible resume run-a --runs '/var/my runs'"


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InfrastructureError, match="file is not a folder"):
        Ledger(tmp_path / "file" / "home").check()
    assert not Ledger(tmp_path / "new" / "home").file.exists()
    Ledger(tmp_path / "new" / "home").check()
    assert not (tmp_path / "new").exists()


CROWD = """
gate = this_gate(home, nodes=3, paper=Paper(None))
print("ready", flush=True)
sys.stdin.readline()
for number in range(6):
    wanted = claim(f"{sys.argv[1]}-{number}" if len(sys.argv) > 1 else f"%d-{number}", 1 + (%d + number) %% 3)
    while not gate.may_begin(wanted):
        pass
    gate.over(wanted.deployment, gone=True)
"""


def test_many_processes_never_hold_more_than_the_budget_and_all_get_their_turn(tmp_path: Path) -> None:
    crowd = [process(tmp_path, CROWD % (number, number)) for number in range(4)]
    assert [line(each) for each in crowd] == ["ready"] * 4
    for each in crowd:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.close()
    assert [each.wait(60) for each in crowd] == [0] * 4
    for each in crowd:
        assert each.stdout is not None
        each.stdout.close()
    entries, alive, most = Ledger(tmp_path).entries(), 0, 0
    for entry in entries:
        alive += entry.claim.amounts.nodes if entry.kind == "reserve" else -entry.claim.amounts.nodes
        most = max(most, alive)
    assert (alive, most) == (0, 3)
    assert set(Counter((entry.claim.deployment, entry.kind) for entry in entries).values()) == {1}
    assert len(entries) == 4 * 6 * 2


HOLD = """
gate = this_gate(home, nodes=4, paper=Paper(None))
print(gate.may_begin(claim("held", 3, run="dead-run")), gate.may_begin(claim("waits", 3, run="dead-run")), flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("there", [True, False, None])
def test_what_a_killed_process_held_goes_when_its_nodes_do(tmp_path: Path, there: bool | None) -> None:
    holder = process(tmp_path, HOLD)
    assert line(holder) == "True False"
    paper = Paper(None if there is None else ["d-held"] if there else [])
    gate = this_gate(tmp_path, nodes=4, paper=paper)
    assert settle(gate.ledger, paper) == []  # it lives
    holder.send_signal(signal.SIGKILL)
    holder.communicate(timeout=20)
    assert gate.ledger.state()[1] == []  # a dead one does not wait
    if there is False:
        assert gate.may_begin(claim("mine", 2))
        assert kinds(tmp_path) == ["reserve held", "release held", "reserve mine"]
        return
    with pytest.raises(InfrastructureError, match="held of dead-run, and nobody gives that back") as caught:
        gate.may_begin(claim("mine", 2))
    assert caught.value.hint == (
        "remove its nodes: e2e-ansible destroy dead-run; or go on with it: e2e-ansible resume dead-run"
    )
    assert gate.may_begin(claim("small", 1))  # who fits is not kept waiting
    assert give_back("d-held", gate.ledger) == ""
    assert gate.may_begin(claim("mine", 2))
    assert kinds(tmp_path)[:3] == ["reserve held", "reserve small", "release held"]


# ---- patience with what a run that was killed has left


def left_behind(home: Path) -> None:
    """3 nodes of a run that was killed."""
    holder = process(home, HOLD)
    assert line(holder) == "True False"
    holder.kill()
    holder.communicate(timeout=20)


def test_who_needs_what_a_killed_run_left_waits_for_a_person_and_says_so_once(tmp_path: Path) -> None:
    left_behind(tmp_path)
    now, said, paper = [0.0], list[str](), Paper(["d-held"])
    gate = this_gate(tmp_path, nodes=4, paper=paper, said=said, clock=lambda: now[0], patience=300)
    for now[0] in (0.0, 1.0, 2.0):
        assert not gate.may_begin(claim("mine", 2))
    assert said == [
        "mine: it cannot begin: 2 nodes, with 1 node of 4 nodes left; what it lacks is held by held of dead-run, and "
        "nobody gives that back by himself; it waits for 300 s at most: remove its nodes: e2e-ansible destroy "
        "dead-run; or go on with it: e2e-ansible resume dead-run"
    ]
    assert paper.asked == 1, "a provider is not asked all the time"
    assert this_gate(tmp_path, nodes=4, paper=paper).may_begin(claim("other")), "it keeps nobody waiting"
    gate.over("d-other", gone=True)
    assert give_back("d-held", gate.ledger) == ""
    assert gate.may_begin(claim("mine", 2))


def test_all_tests_of_a_run_have_patience_together(tmp_path: Path) -> None:
    left_behind(tmp_path)
    now = [0.0]
    gate = this_gate(tmp_path, nodes=4, paper=Paper(["d-held"]), clock=lambda: now[0], patience=300)
    assert not gate.may_begin(claim("one", 2))
    now[0] = 300.0
    for name in ("one", "two"):
        with pytest.raises(InfrastructureError, match="it cannot begin"):
            gate.may_begin(claim(name, 2))
    assert gate.may_begin(claim("small"))
    with pytest.raises(InfrastructureError, match="it cannot begin"):
        gate.may_begin(claim("three", 2))


def test_patience_that_helped_is_there_again(tmp_path: Path) -> None:
    left_behind(tmp_path)
    now = [0.0]
    gate = this_gate(tmp_path, nodes=4, paper=Paper(["d-held"]), clock=lambda: now[0], patience=300)
    assert not gate.may_begin(claim("one", 2))
    give_back("d-held", gate.ledger)
    now[0] = 200.0
    assert gate.may_begin(claim("one", 2))
    gate.over("d-one", gone=True)
    left_behind(tmp_path)
    now[0] = 400.0
    assert not gate.may_begin(claim("two", 2))


def test_nodes_that_vanish_are_found_while_somebody_is_patient(tmp_path: Path) -> None:
    left_behind(tmp_path)
    now, paper = [0.0], Paper(["d-held"])
    gate = this_gate(tmp_path, nodes=4, paper=paper, clock=lambda: now[0], patience=300)
    assert not gate.may_begin(claim("mine", 2))
    paper.there, now[0] = [], 6.0
    assert gate.may_begin(claim("mine", 2))


def test_nobody_is_patient_with_what_was_kept_on_purpose(tmp_path: Path) -> None:
    gate = this_gate(tmp_path, nodes=1, paper=Paper(["d-a"]), patience=300)
    assert gate.may_begin(claim("a"))
    gate.over("d-a", gone=False)
    with pytest.raises(InfrastructureError, match="it cannot begin") as caught:
        gate.may_begin(claim("b"))
    assert caught.value.hint == "remove its nodes: e2e-ansible destroy run-a"


def test_who_goes_on_takes_over_what_the_dead_held(tmp_path: Path) -> None:
    holder = process(tmp_path, HOLD)
    assert line(holder) == "True False"
    gate = this_gate(tmp_path, nodes=4)
    with pytest.raises(InfrastructureError, match="has the nodes of d-held already"):
        gate.may_begin(claim("held", 3))
    holder.kill()
    holder.communicate(timeout=20)
    gate.take_over([claim("held", 3)])
    assert settle(gate.ledger, Paper()) == []  # it is held again
    assert gate.may_begin(claim("held", 3))
    gate.over("d-held", gone=True)
    assert kinds(tmp_path) == ["reserve held", "take held", "release held"]


def test_two_who_look_at_once_release_once(tmp_path: Path) -> None:
    holder = process(tmp_path, HOLD)
    assert line(holder) == "True False"
    holder.kill()
    holder.communicate(timeout=20)
    ledger = Ledger(tmp_path)
    (seen,), _ = ledger.state()
    assert ledger.release_unchanged(seen, "first")
    assert not ledger.release_unchanged(seen, "second")
    assert kinds(tmp_path) == ["reserve held", "release held"]


def test_a_killed_transaction_has_not_happened(tmp_path: Path) -> None:
    text = """
ledger = Ledger(home)
with ledger.changing() as changes:
    changes.reserve(claim("half", 3))
    print("inside", flush=True)
    sys.stdin.readline()
"""
    half = process(tmp_path, text)
    assert line(half) == "inside"
    half.kill()
    half.communicate(timeout=20)
    assert kinds(tmp_path) == []
    assert this_gate(tmp_path, nodes=3).may_begin(claim("whole", 3))


# ---- a disk that is full for a moment, and what is not this program's


def test_who_could_not_be_told_its_turn_waits_no_more(tmp_path: Path) -> None:
    """Its ticket would keep everybody waiting as long as this process lives."""
    gate = this_gate(tmp_path, nodes=2)
    assert gate.may_begin(claim("a", 2))
    assert not gate.may_begin(claim("b", 2))
    gate.over("d-a", gone=True)
    with no_space(), pytest.raises(InfrastructureError, match="cannot be used") as caught:
        gate.may_begin(claim("b", 2))
    assert "rollback" not in str(caught.value), "why it cannot be used is told, not what came of it"
    assert gate.may_begin(claim("c", 2))
    assert gate.ledger.state()[1] == []


def test_what_could_not_be_given_back_is_when_the_next_one_asks(tmp_path: Path) -> None:
    gate = this_gate(tmp_path, nodes=2)
    assert gate.may_begin(claim("a", 2))
    with no_space(), pytest.raises(InfrastructureError, match="cannot be used"):
        gate.over("d-a", gone=True)
    assert gate.may_begin(claim("b", 2))
    assert kinds(tmp_path) == ["reserve a", "release a", "reserve b"]


def test_a_provider_from_elsewhere_that_raises_decides_nothing(tmp_path: Path) -> None:
    def raises(name: str) -> Any:
        raise RuntimeError("no such thing")

    gate = this_gate(tmp_path, nodes=2)
    assert gate.may_begin(claim("a", 2))
    gate.over("d-a", gone=False)
    assert settle(gate.ledger, raises) == []


def test_a_process_whose_name_is_no_text_is_one_as_any_other(tmp_path: Path) -> None:
    """The kernel cuts names after 15 bytes, also in the middle of a letter."""
    text = """
from e2e_ansible.quota.holder import me
Path("/proc/self/comm").write_bytes(b"caf\\xc3")
print(me(), flush=True)
sys.stdin.readline()
"""
    named = process(tmp_path, text)
    holder = line(named)
    assert lives(holder)
    assert named.pid in family(os.getpid())
    named.kill()
    named.communicate(timeout=20)
    assert not lives(holder)
