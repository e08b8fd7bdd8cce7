"""Words: numbers, hosts, and text that may not harm a terminal or an XML file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_ansible.judge.result import StepResult
from e2e_ansible.report.words import (
    CAUSE_WORDS,
    Mark,
    called,
    clean,
    count,
    duration,
    host_words,
    join_path,
    mark_of,
    own_name,
    shorten,
    stamp,
    verdict_words,
)
from e2e_ansible.suite.model import SourceRef
from e2e_ansible.verdict import Cause, Status, Verdict


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0.0s"),
        (0.04, "0.0s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.6, "1m"),
        (123, "2m03s"),
        (600, "10m"),
        (3599.7, "1h"),
        (3720, "1h02m"),
        (360_000, "100h"),
    ],
)
def test_durations_are_short(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        ((), ""),
        (("n11", "n13"), "n11, n13"),
        (("n11", "n12", "n13"), "n11-n13"),
        (("n09", "n10", "n11"), "n09-n11"),
        (("n11", "n13", "n14"), "n11, n13 +1"),
        (("a1", "b2", "c3"), "a1, b2 +1"),
        (("a", "b", "c"), "a, b +1"),
    ],
)
def test_hosts_are_short(hosts: tuple[str, ...], words: str) -> None:
    assert host_words(hosts) == words


def test_every_cause_has_words() -> None:
    assert set(CAUSE_WORDS) == set(Cause)
    assert "not the product under test" in verdict_words(Verdict.FAIL, Cause.INFRASTRUCTURE)
    assert verdict_words(Verdict.PASS, Cause.CLEAN_UP) == "PASS"
    assert verdict_words(Verdict.UNKNOWN, None) == "UNKNOWN"


def test_every_status_has_a_mark() -> None:
    for status in Status:
        step = StepResult(
            index=1,
            id="01-x",
            step_type="x",
            description="",
            status=status,
            verdict=None,
            source=SourceRef(file="s.yaml", line=1, column=1),
        )
        assert mark_of(step) is not Mark.PASS, "a step without a verdict is never a pass"
        assert mark_of(step) is not Mark.RUNNING, "nothing runs in a record"


@given(st.text(st.characters(codec=None)))
def test_clean_text_holds_no_control_codes(text: str) -> None:
    cleaned = clean(text)
    assert cleaned == clean(cleaned)
    assert not any(character < " " and character not in "\n\t" for character in cleaned)
    cleaned.encode("utf-8")


def test_escape_sequences_vanish_with_their_arguments() -> None:
    hostile = "\x1b[31mred\x1b[0m \x1b]0;title\x07x \x1b]8;;file:e\x1b\\link\x1b]8;;\x1b\\ \x1b(B "
    assert clean(hostile) == "red x link  "
    assert clean("a\rb\r\nc \u202eevil") == "a\nb\nc \ufffdevil"


def test_the_rest() -> None:
    assert shorten("a\nb\nc", lines=2, characters=99) == "a\nb … (2 characters more in the log)"
    assert shorten("abc  ", lines=1, characters=9) == "abc"


def test_what_to_do_is_not_left_off_unless_it_is_too_long_itself() -> None:
    assert (
        shorten("a\nb\nhint: do\n", lines=1, characters=9) == "a … (2 characters more in the log)\nhint: do"
    )
    assert shorten("a\nhint: do it", lines=1, characters=9) == "a … (12 characters more in the log)"
    assert shorten("hint: do", lines=1, characters=9) == "hint: do"
    assert (count(1, "step"), count(0, "step")) == ("1 step", "0 steps")
    assert join_path("", "runs/x/", "log") == "runs/x/log"
    assert stamp(1735732800.1234) == "2025-01-01T12:00:00.123Z"
    assert stamp(None) == ""


@pytest.mark.parametrize(
    ("kind", "step", "name"),
    [
        ("install", "06-database", "database"),
        ("install", "06-install", ""),
        ("run_pgbench", "14-run-pgbench", ""),
        ("custom_command", "005-after-bad", "after-bad"),
    ],
)
def test_a_step_is_told_from_others_of_its_type(kind: str, step: str, name: str) -> None:
    assert own_name(kind, step) == name
    assert called(kind, step) == f"{kind} {name}".rstrip()
