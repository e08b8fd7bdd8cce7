"""Makes the cases in tests/data/events from a run of recorded.yaml on real nodes.

    e2e-ansible run tests/data/events/recorded.yaml --runs runs
    python tests/unit/run/record_events.py runs/RUN

A case is a test's folder as the run wrote it, without the playbooks and what they use. Events keep what a judge
reads; paths, addresses and ids of the machine are replaced. Without a run, the cases that are there are only
judged anew. Look at the difference before you commit it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from e2e_ansible.run.folder import RunFolder, TestFolder
from e2e_ansible.run.results import read_test

CASES = Path(__file__).parents[2] / "data" / "events"
_DATA = {"host", "task", "role", "play", "task_action", "duration", "ignore_errors", "failures", "rescued"}
_TITLE = {"host", "task", "role"}
_RESULT = {"msg", "stdout", "stderr", "rc", "e2e_proof", "observation"}
_LONGEST = 400
_LONG_TITLE = 40


def record(run: Path) -> None:
    """All tests of one run, each to the case of its name."""
    folder = RunFolder.open(run)
    for test in folder.manifest().tests:
        _record(folder.test(test.folder), TestFolder(CASES / test.name), _scrubber(folder.path))


def judge() -> None:
    """The results that are expected of all cases."""
    for case in map(TestFolder, sorted(path.parent for path in CASES.glob("*/journal.jsonl"))):
        case.result.write_text(read_test(case, case.path.name).model_dump_json(indent=1) + "\n")


def _record(source: TestFolder, case: TestFolder, scrub: Callable[[str], str]) -> None:
    case.plan.mkdir(parents=True, exist_ok=True)
    (case.plan / "plan.json").write_text(scrub((source.plan / "plan.json").read_text()))
    case.journal.write_text(scrub(source.journal.read_text()))
    records = [json.loads(line) for line in source.events.read_bytes().splitlines()]
    lines = (json.dumps(_slim(each), ensure_ascii=False, separators=(",", ":")) for each in _wanted(records))
    case.events.write_text(scrub("".join(f"{line}\n" for line in lines)))


def _wanted(records: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All but what was included; of the tasks that began on a host only those that never ended there."""
    ended = {_task(each) for each in records if "end" in each["event"]["event_data"]}
    for each in records:
        kind = each["event"]["event"]
        if kind != "playbook_on_include" and not (kind == "runner_on_start" and _task(each) in ended):
            yield each


def _task(record: dict[str, Any]) -> tuple[object, ...]:
    data = record["event"]["event_data"]
    return record["step"], record["attempt"], data.get("host"), data.get("task_uuid")


def _slim(record: dict[str, Any]) -> dict[str, Any]:
    event = record["event"]
    kind, data = event["event"], event["event_data"]
    kept = {key: value for key, value in data.items() if key in (_TITLE if "start" in kind else _DATA)}
    if "res" in data:
        kept["res"] = _slim_result(data["res"])
    stdout = re.sub(r"\*+", "*", event["stdout"])[: _LONGEST if "res" in data else _LONG_TITLE]
    created = event["created"][:19] + "+00:00"
    return {**record, "event": {**event, "created": created, "stdout": stdout, "event_data": kept}}


def _slim_result(result: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in result.items() if key in _RESULT}
    return {key: value[:_LONGEST] if isinstance(value, str) else value for key, value in kept.items()}


def _scrubber(run: Path) -> Callable[[str], str]:
    """Replaces what belongs to this machine, the same thing by the same thing."""
    known: dict[str, str] = {}

    def stand_in(found: re.Match[str]) -> str:
        digits = re.sub(r"[0-9a-f]", "0", found[0])
        number = f"{len(known) + 1:x}"
        return known.setdefault(found[0], digits[: -len(number)] + number)

    def scrub(text: str) -> str:
        for path, name in ((run, "RUN"), (Path.cwd(), "PROJECT"), (Path(sys.prefix), "PYTHON")):
            text = text.replace(str(path), f"/{name}")
        text = re.sub(r"\b10\.\d+\.\d+\.(\d+)\b", r"192.0.2.\1", text)
        text = re.sub(r'"kernel":"[^"]*"', '"kernel":"6.1.0"', text)
        ids = r"\b(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b"
        return re.sub(ids, stand_in, text)

    return scrub


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        record(Path(argument))
    judge()
