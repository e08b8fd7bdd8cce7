"""A soak on the page of its run: what its cycles came to, and the way to the numbers."""

from __future__ import annotations

from typing import Any

import pytest

from e2e_ansible.judge.result import RunResult, SoakResult
from e2e_ansible.report.html import html
from e2e_ansible.report.words import cycle_words
from e2e_ansible.verdict import Verdict


def page(**soak: Any) -> str:
    result = RunResult(
        run_id="r",
        suite="s.yaml",
        verdict=Verdict.UNKNOWN,
        started=1,
        ended=2,
        finished=True,
        total_tests=0,
        passed=0,
        failed=0,
        unknown=0,
        tests=(),
        soak=SoakResult(**soak) if soak else None,
    )
    return html(result, version="1", excerpts={})


@pytest.mark.parametrize(
    ("soak", "words"),
    [
        ({"cycles": 1, "passed": 1}, "1 cycle: 1 passed, 0 failed, 0 unknown"),
        (
            {"asked": 5, "cycles": 3, "passed": 2, "failed": 1, "swaps": 2, "stopped": "max_failures"},
            "3 of 5 cycles: 2 passed, 1 failed, 0 unknown; contexts swapped 2 times; stopped: max failures",
        ),
        ({"asked": 2, "cycles": 2, "dry_run": True, "stopped": "cycles"}, "2 of 2 cycles; stopped: cycles"),
    ],
)
def test_what_cycles_came_to(soak: dict[str, Any], words: str) -> None:
    assert cycle_words(SoakResult(**soak)) == words
    assert words in page(**soak)
    assert ("analysis.html" in page(**soak)) is not soak.get("dry_run", False)


def test_cycles_that_are_not_shown_are_counted() -> None:
    assert "7 cycles more did not pass; see cycles/" in page(cycles=30, failed=27, left_out=7)


def test_a_run_without_cycles_says_nothing_of_them() -> None:
    assert "cycle" not in page().partition("<main>")[2]
