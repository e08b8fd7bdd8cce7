"""The budget of nodes: never too many at once, nobody waits for ever, and the dead give everything back."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import UsageError
from e2e_ansible.pytest_plugin.budget import Budget

HOLD = """
import sys
from pathlib import Path
from e2e_ansible.pytest_plugin.budget import Budget
with Budget(Path(sys.argv[1]), 3).nodes(3):
    print("held", flush=True)
    sys.stdin.read()
"""
LONG = 30


class Waiter:
    """Another worker, which takes nodes in a thread of its own and holds them until it is told."""

    def __init__(self, folder: Path, most: int, *counts: int) -> None:
        self.budget = Budget(folder, most)
        self.taken: list[int] = []
        self.refused: list[str] = []
        self.go = threading.Event()
        self._thread = threading.Thread(target=self._take, args=(counts,))
        self._thread.start()

    def _take(self, counts: tuple[int, ...]) -> None:
        try:
            self._deeper(counts)
        except UsageError as error:
            self.refused.append(str(error))

    def _deeper(self, counts: tuple[int, ...]) -> None:
        if not counts:
            self.go.wait(LONG)
            return
        with self.budget.nodes(counts[0]):
            self.taken.append(counts[0])
            self._deeper(counts[1:])

    def has(self, *counts: int) -> bool:
        return bool(Deadline(LONG).wait_for(lambda: self.taken == list(counts)))

    def waits(self) -> bool:
        return bool(Deadline(LONG).wait_for(lambda: self.budget._mine.wanted))

    def end(self) -> None:
        self.go.set()
        self._thread.join(LONG)
        assert not self._thread.is_alive()
        self.budget.close()


@contextmanager
def waiter(folder: Path, most: int, *counts: int) -> Iterator[Waiter]:
    made = Waiter(folder, most, *counts)
    try:
        yield made
    finally:
        made.end()


def test_without_a_bound_no_file_is_made(tmp_path: Path) -> None:
    with Budget(tmp_path / "budget", None).nodes(1000):
        assert not (tmp_path / "budget").exists()


def test_more_than_the_budget_is_refused_at_once(tmp_path: Path) -> None:
    too_many = Budget(tmp_path, 4).nodes(5)
    with pytest.raises(UsageError, match="5 nodes are more than the budget of 4") as caught, too_many:
        pytest.fail("they were given")
    assert "--e2e-max-nodes" in caught.value.hint


def test_what_does_not_fit_waits_until_others_have_given_back(tmp_path: Path) -> None:
    with waiter(tmp_path, 3, 2) as first:
        assert first.has(2)
        with waiter(tmp_path, 3, 2) as second:
            assert second.waits()
            assert second.taken == []
            first.go.set()
            assert second.has(2)


def test_a_large_one_is_not_starved_by_small_ones(tmp_path: Path) -> None:
    with waiter(tmp_path, 3, 2) as first:
        assert first.has(2)
        with waiter(tmp_path, 3, 3) as large:
            assert large.waits()
            with waiter(tmp_path, 3, 1) as small:
                assert small.waits()
                first.go.set()
                assert large.has(3)
                assert small.taken == []
                large.go.set()
                assert small.has(1)


def test_who_has_nodes_goes_before_those_who_wait(tmp_path: Path) -> None:
    mine = Budget(tmp_path, 4)
    with mine.nodes(1), waiter(tmp_path, 4, 4) as large:
        assert large.waits()
        with mine.nodes(3):
            assert large.taken == []
        mine.close()
        assert large.has(4)


def test_one_process_that_waits_for_itself_is_refused(tmp_path: Path) -> None:
    mine = Budget(tmp_path, 4)
    with mine.nodes(3):
        with pytest.raises(UsageError, match="2 more nodes are wanted, 3 of 4 exist"), mine.nodes(2):
            pytest.fail("they were given")
        with mine.nodes(1):
            pass
    with mine.nodes(4):
        pass
    mine.close()


def test_two_that_wait_for_each_other_are_told(tmp_path: Path) -> None:
    mine = Budget(tmp_path, 4)
    with mine.nodes(2), waiter(tmp_path, 4, 2, 2) as other:
        assert other.has(2)
        assert other.waits()
        with pytest.raises(UsageError, match="nobody can give any back"), mine.nodes(2):
            pytest.fail("they were given")
        mine.close()
        assert other.has(2, 2)
        assert other.refused == []


def test_a_process_that_was_killed_has_no_nodes_any_more(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with waiter(tmp_path, 3, 1) as other:
            assert other.waits()
            assert other.taken == []
            holder.kill()
            assert other.has(1)
    assert len(list(tmp_path.glob("*.share"))) == 1
