"""The words and numbers that every report uses, so that all of them say the same thing the same way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from e2e_ansible.judge.entry import HINT
from e2e_ansible.judge.result import Resumption, SoakResult, StepResult, TestResult
from e2e_ansible.soak.records import Alert
from e2e_ansible.verdict import Cause, Status, Verdict

__all__ = [
    "CAUSE_WORDS",
    "Mark",
    "alert_words",
    "called",
    "cause_words",
    "clean",
    "clock",
    "count",
    "cycle_words",
    "duration",
    "host_words",
    "join_path",
    "kept_words",
    "mark_of",
    "own_name",
    "purpose",
    "resumption_words",
    "said_of",
    "shorten",
    "stamp",
    "verdict_words",
]

# CSI, OSC (ended by BEL or ST), then any other two-character escape.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?")
# Everything that XML 1.0 forbids or a terminal would obey, and the marks that turn the direction of text.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
    r"|[\U0001fffe\U0001ffff\U0002fffe\U0002ffff\U0010fffe\U0010ffff]"
)

CAUSE_WORDS = {
    Cause.PRODUCT: "product: the cluster under test",
    Cause.INFRASTRUCTURE: "infrastructure: not the product under test",
    Cause.HARNESS: "harness: the test tool, not the product under test",
    Cause.CLEAN_UP: "clean-up: something that was made could not be removed",
    Cause.INTERRUPT: "interrupt: stopped before it was decided",
}


_CONTROLLER = "localhost"
_COVERAGE = "coverage"  # the folder, see `run/coverage.py`


class Mark(StrEnum):
    """How a step stands, as people read it: its verdict, or why it has none."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"
    PENDING = "not run"
    RUNNING = "running"


_UNFINISHED = {
    Status.PENDING: Mark.PENDING,
    Status.SKIPPED: Mark.SKIPPED,
    Status.OMITTED: Mark.SKIPPED,
    Status.RUNNING: Mark.INTERRUPTED,
    Status.INTERRUPTED: Mark.INTERRUPTED,
}


def mark_of(step: StepResult) -> Mark:
    """The mark of a recorded step. One that still runs in a record was cut off: nobody runs it any more."""
    unfinished = _UNFINISHED.get(step.status)
    if unfinished is not None:
        return unfinished
    return Mark(step.verdict.value) if step.verdict is not None else Mark.UNKNOWN


def cause_words(cause: Cause | None) -> str:
    """A cause with what it means; empty for none."""
    return CAUSE_WORDS[cause] if cause is not None else ""


def resumption_words(resumptions: Sequence[Resumption]) -> str:
    """How often a test was taken up after its run had died, and how long there was no run."""
    dead = duration(sum(each.dead for each in resumptions))
    return f"{count(len(resumptions), 'time')} after the run had died; nobody looked for {dead}"


def alert_words(alert: Alert) -> str:
    """Like `OBSERVABILITY_NOT_READY exporter in site_a`."""
    return f"{alert.alert_type} {alert.resource}" + (f" in {alert.context}" if alert.context else "")


def verdict_words(verdict: Verdict, cause: Cause | None) -> str:
    """Like `FAIL, infrastructure: not the product under test`."""
    words = cause_words(cause)
    upper = verdict.value.upper()
    return f"{upper}, {words}" if words and verdict is not Verdict.PASS else upper


def duration(seconds: float) -> str:
    """Seconds in at most six characters up to a hundred hours: `0.4s`, `41s`, `2m03s`, `10m`, `1h02m`."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    (large, small), units = (divmod(whole, 60), "ms") if whole < 3600 else (divmod(whole // 60, 60), "hm")
    return f"{large}{units[0]}" + (f"{small:02}{units[1]}" if small else "")


def stamp(at: float | None) -> str:
    """Epoch seconds as `2025-01-31T12:00:00.123Z`; empty for None."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(at: float) -> str:
    """Epoch seconds as the time of day, `12:00:00Z`."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%SZ")


def clean(text: str) -> str:
    """Text of the outside world without what a terminal obeys or XML forbids; line ends become newlines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("\ufffd", _ESCAPES.sub("", text))


def shorten(text: str, *, lines: int, characters: int) -> str:
    """The beginning of a text, saying how much was left off. What to do, its last line, is never left off."""
    head, _, last = text.rstrip().rpartition("\n")
    if head and last.startswith(HINT) and len(last) <= characters:
        return f"{shorten(head, lines=lines, characters=characters)}\n{last}"
    kept = text[:characters].rstrip().split("\n")[:lines]
    short = "\n".join(kept)
    left = len(text.rstrip()) - len(short)
    return f"{short} … ({left} characters more in the log)" if left > 0 else short


def count(number: int, noun: str) -> str:
    """`1 test`, `2 tests`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def cycle_words(soak: SoakResult) -> str:
    """What cycles came to, and why there were no more: `3 of 5 cycles: 2 passed, ...; stopped: max failures`."""
    of = f" of {soak.asked}" if soak.asked else ""
    words = f"{soak.cycles}{of} {'cycle' if soak.cycles == 1 and not of else 'cycles'}"
    if not soak.dry_run:
        words += f": {soak.passed} passed, {soak.failed} failed, {soak.unknown} unknown"
    words += f"; contexts swapped {count(soak.swaps, 'time')}" if soak.swaps else ""
    return words + (f"; stopped: {soak.stopped.replace('_', ' ')}" if soak.stopped else "")


def join_path(*parts: str) -> str:
    """Path parts joined by slashes, without the empty ones."""
    return "/".join(part.rstrip("/") if len(part) > 1 else part for part in parts if part)


def kept_words(test: TestResult) -> list[tuple[str, tuple[str, ...]]]:
    """The folders that were brought from the nodes, by what is in them: `logs`, `coverage`."""
    logs = tuple(folder for folder in test.evidence if folder != _COVERAGE)
    found = [("logs", logs), (_COVERAGE, tuple(folder for folder in test.evidence if folder == _COVERAGE))]
    return [(what, folders) for what, folders in found if folders]


def host_words(hosts: Sequence[str]) -> str:
    """Few hosts by name, a row of numbered hosts as a range: `n11, n13`, `n11-n15`, `n11, n13 +3`."""
    if len(hosts) <= 2:
        return ", ".join(hosts)
    split = [re.fullmatch(r"(.*?)(\d+)", host) for host in hosts]
    if all(split):
        stems = {match[1] for match in split if match}
        numbers = [int(match[2]) for match in split if match]
        if len(stems) == 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return f"{hosts[0]}-{hosts[-1]}"
    return f"{hosts[0]}, {hosts[1]} +{len(hosts) - 2}"


def own_name(step_type: str, step_id: str) -> str:
    """The name that the suite gave a step, as its files are named; empty if it has only that of its type."""
    name = step_id.partition("-")[2]
    plain, kind = (re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-") for text in (name, step_type))
    return "" if plain == kind else name


def said_of(step: StepResult) -> str:
    """What a step is for, in the words of the suite; else its own name."""
    return step.description or own_name(step.step_type, step.id)


def called(step_type: str, step_id: str) -> str:
    """What tells a step from others of its type: `install database`."""
    return f"{step_type} {own_name(step_type, step_id)}".rstrip()


def purpose(description: str, hosts: Sequence[str]) -> str:
    """What a step is for: the words of the suite, else the nodes it acts on."""
    return description or ("" if tuple(hosts) == (_CONTROLLER,) else host_words(hosts))
