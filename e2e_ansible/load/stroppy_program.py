"""Runs Stroppy where it is: asks the program what it is, gives it its words, and notes what it exports meanwhile.

Sent to a node with the modules it imports, so it needs nothing but Python. It reads `request.json` in its folder and
writes `stroppy-run.json` there; outputs and exit status are those of Stroppy.

The plain Go line ends a virtual user at its first error that it does not retry, and itself with the last one, well
before its time. With `on_error: continue` it is then begun again for what is left, without loading again. It counts
the keys of its history tables from the same number each time, and never reads them: they are emptied before.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from e2e_ansible.deadline import Deadline
from e2e_ansible.load.stroppy_catalogue import GO, CannotAsk, ask
from e2e_ansible.load.stroppy_otlp import Receiver, now
from e2e_ansible.load.stroppy_series import Series
from e2e_ansible.load.stroppy_words import CONFIG, problems, words

__all__ = ["REQUEST", "RUN", "UNUSABLE", "main"]

REQUEST, RUN = "request.json", "stroppy-run.json"
UNUSABLE = 64
"""Exit status when the program cannot be asked, or would not take what is asked for."""

_EXPORT_SECONDS = 1.0
_LEAST_SECONDS = 1.0
_ASK_SECONDS = 0.2
_KILLED_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_STEP = re.compile(r"(?:End of|Skipping step) '(\w+)'")
_GAVE_UP = "iteration failed"
_SUMMARY = "=== bench summary ==="
_HISTORIES = {"tpcb": "pgbench_history", "tpcc": "history"}
_EMPTY_SECONDS = 20
_FAILED = 1
_WORKLOAD = "workload"
_ASKED = ("duration_seconds", "vus", "on_error", "require_compliance")


def main() -> int:
    """The exit status."""
    request = json.loads(Path(REQUEST).read_text(encoding="utf-8"))
    asked = {name: request.get(name) for name in _ASKED}
    asked["transactions"] = _WORKLOAD in (request.get("steps") or [_WORKLOAD]) and _WORKLOAD not in (
        request.get("no_steps") or []
    )
    told: dict[str, Any] = {"asked": asked, "rounds": [], "series": []}
    try:
        catalogue = ask(str(request["binary"]))
        wrong = problems(request, catalogue)
        told.update(dialect=catalogue["dialect"], version=catalogue["version"])
    except CannotAsk as error:
        return _unusable(told, [str(error)])
    if wrong:
        return _unusable(
            told,
            [f"{'.'.join(map(str, each.path))}: {each.message}; {each.hint}".rstrip("; ") for each in wrong],
        )
    return _Load(request, catalogue, told).run()


def _unusable(told: dict[str, Any], lines: Sequence[str]) -> int:
    told["unusable"] = list(lines)
    _write(told)
    for line in lines:
        sys.stderr.write(f"{line}\n")
    return UNUSABLE


def _write(told: Mapping[str, Any]) -> None:
    Path(RUN).write_text(json.dumps(told, separators=(",", ":")), encoding="utf-8")


class _Load:
    """All rounds of one load."""

    def __init__(
        self, request: Mapping[str, Any], catalogue: Mapping[str, Any], told: dict[str, Any]
    ) -> None:
        self.request, self.catalogue, self.told = request, catalogue, told
        self.series = Series(told)
        self.child: subprocess.Popen[bytes] | None = None
        self.ended_by = 0

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)
        receiver = Receiver(self.series.take)
        _configure(receiver.endpoint)
        try:
            code = self._rounds()
        finally:
            receiver.close()
            _write(self.told)
        return code

    def _pass_on(self, number: int, frame: object) -> None:
        """Once: Stroppy takes a second signal for a wish to end without a summary."""
        if not self.ended_by:
            self.ended_by = number
            if self.child is not None and self.child.poll() is None:
                self.child.send_signal(number)

    def _rounds(self) -> int:
        first = _Round(self, dict(self.request, config=True))
        code = first.run()
        until = first.begun + float(self.request.get("duration_seconds") or 0)
        end = Deadline(until - now())
        answered = True
        while answered and self._goes_on(end):
            answered = self._answers(end)
            if answered:
                code = _Round(self, self._again(end.remaining)).run()
        self.series.rest(until)
        return code if answered else code or _FAILED

    def _goes_on(self, end: Deadline) -> bool:
        wanted = self.request.get("on_error") == "continue" and self.request.get("duration_seconds")
        if not wanted or self.ended_by or self.catalogue["dialect"] != GO:
            return False
        last = self.told["rounds"][-1]
        failed = last["gave_up"] or (len(self.told["rounds"]) > 1 and last["exit_code"])
        return bool(failed) and end.remaining >= _LEAST_SECONDS

    def _answers(self, end: Deadline) -> bool:
        """Whether the database answers while there is time for another round; asked no more once it was ended."""
        asked = Deadline(end.remaining - _LEAST_SECONDS)
        found = asked.wait_for(lambda: bool(self.ended_by) or self._emptied(), _ASK_SECONDS)
        return found and not self.ended_by

    def _emptied(self) -> bool:
        """Whether the keys of another round are free; that also tells whether the database answers."""
        table = _HISTORIES.get(str(self.request["workload"]).partition("/")[0])
        if table is None:
            return True
        asked = dict(self.request, workload=f"TRUNCATE TABLE {table}", config=False)
        asked.update(
            dict.fromkeys(("scale", "vus", "executor", "duration_seconds", "params", "steps", "no_steps"))
        )
        with subprocess.Popen(
            [str(self.request["binary"]), *words(asked, self.catalogue)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",  # no configuration, so nothing is exported
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - it is one system call, made before any thread of the child
        ) as self.child:
            try:
                code = self.child.wait(_EMPTY_SECONDS)
            except subprocess.TimeoutExpired:
                self.child.kill()
                code = 1
        self.told["tries"] = self.told.get("tries", 0) + (code != 0)
        return code == 0

    def _again(self, seconds: float) -> dict[str, Any]:
        """The request for what is left of the time."""
        left = round(max(seconds, _LEAST_SECONDS), 1)
        return dict(self.request, config=True, duration_seconds=left, steps=[_WORKLOAD], no_steps=[])


class _Round:
    """One run of the program."""

    def __init__(self, load: _Load, request: Mapping[str, Any]) -> None:
        self.load = load
        self.argv = [str(request["binary"]), *words(request, load.catalogue)]
        self.begun = self.started = now()
        self.summary: list[str] = []
        self.compliance = ""
        self.gave_up = 0
        self._in_summary = False

    def run(self) -> int:
        self.load.series.begin()
        environment = {
            "LOG_LEVEL": "info",
            **os.environ,
            "OTEL_METRIC_EXPORT_INTERVAL": str(int(_EXPORT_SECONDS * 1000)),
        }
        environment.update(K6_OTEL_EXPORT_INTERVAL=f"{_EXPORT_SECONDS:g}s", K6_OTEL_FLUSH_INTERVAL="250ms")
        self.load.child = child = subprocess.Popen(
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - it is one system call, made before any thread of the child
        )
        if self.load.ended_by:
            child.send_signal(self.load.ended_by)
        readers = [
            threading.Thread(target=self._copy, args=(child.stdout, sys.stdout.buffer, self._heard)),
            threading.Thread(target=self._copy, args=(child.stderr, sys.stderr.buffer, self._told)),
        ]
        for reader in readers:
            reader.start()
        code = child.wait()
        for reader in readers:
            reader.join()
        status = code if code >= 0 else 128 - code
        self._note(status)
        return status

    def _copy(self, source: Any, target: Any, look: Any) -> None:
        for line in source:
            target.write(line)
            target.flush()
            look(line.decode("utf-8", "replace"))

    def _heard(self, line: str) -> None:
        if line.startswith('{"compliance"'):
            self.compliance = line.strip()

    def _told(self, line: str) -> None:
        if self._in_summary and line.startswith("  "):
            self.summary.append(line.strip())
            return
        self._in_summary = line.strip() == _SUMMARY
        if _GAVE_UP in line:
            self.gave_up += 1
        elif _STEP.search(line):
            self.begun = now()
            self.load.series.begun(self.begun)

    def _note(self, status: int) -> None:
        self.load.told["rounds"].append(
            {
                "argv": self.argv,
                "started": self.started,
                "begun": self.begun,
                "ended": now(),
                "exit_code": status,
                "gave_up": self.gave_up,
                "summary": self.summary,
                "compliance": self.compliance,
            }
        )


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_KILLED_WITH_PARENT, signal.SIGKILL, 0, 0, 0)


def _configure(endpoint: str) -> None:
    """Where it exports to; it has no flag for that. What the user's file says of it stays."""
    config: dict[str, Any] = {"version": "1"}
    if Path(CONFIG).exists():
        config = json.loads(Path(CONFIG).read_text(encoding="utf-8"))
    exporter = {"name": "otlp", "otlpExport": {"otlpHttpEndpoint": endpoint, "otlpEndpointInsecure": True}}
    config.setdefault("global", {"version": "1"}).setdefault("exporter", exporter)
    Path(CONFIG).write_text(json.dumps(config), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
