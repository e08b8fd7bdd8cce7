"""Runs that are killed at moments of their own choosing: Ansible itself holds a playbook until the killer has come.

Nothing here depends on how fast a machine is. A callback plugin, as any user may enable one, writes down the moment
that a playbook has come to and goes no further; the killer reads that, kills the run, and lets it be resumed.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from real_runs import Desk

from e2e_ansible.deadline import Deadline
from e2e_ansible.run.folder import TestFolder

__all__ = ["ENDED", "Killer", "lines"]

#: Most of the time goes into the resumes, about two seconds each.
DEADLINE_SECONDS = 900
ENDED = "ended"
_HOLD = "E2E_TEST_HOLD"
_CALLBACK = '''
import os
import time
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: hold_run
type: aggregate
short_description: Hold a playbook at moments at which it was not killed yet
"""
LONGEST_SECONDS = 300


class CallbackModule(CallbackBase):
    """Each event in the ledger; else the first task that changed something; else the end of the playbook."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "hold_run"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._step = os.environ.get("E2E_STEP", "")
        self._folder = Path(os.environ["E2E_TEST_HOLD"])
        self._known = len(self._ledger())

    def v2_runner_on_ok(self, result):
        for line in self._ledger()[self._known :]:
            healing = '"event":"heal' in line and "heal" in self._step
            if healing or f'"{self._step}/' in line or f'"step":"{self._step}"' in line:
                self._hold(line.partition('"event":"')[2].partition('"')[0])
        if result.result.get("changed") and self._is_new():
            self._hold("changed")

    def v2_playbook_on_stats(self, stats):
        if self._is_new():
            self._hold("last")

    def _is_new(self):
        return not any((self._folder / "struck").glob(f"{self._step}@*"))

    def _ledger(self):
        path = Path(os.environ.get("E2E_FAULT_LEDGER") or os.devnull)
        return path.read_text().splitlines() if path.is_file() else []

    def _hold(self, moment):
        moment = f"{self._step}@{moment}"
        if not self._step or (self._folder / "struck" / moment).exists():
            return
        (self._folder / "held" / moment).touch()
        end = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < end:
            time.sleep(0.01)
        raise TimeoutError(f"nobody killed the run at {moment}")
'''


@dataclass
class Killer:
    """Kills a run at each moment at which it is held, and with `boundaries` at the end of each step.

    All it does is to read files. `struck` are the moments of its kills, `ended` the steps at whose end there was one.
    """

    desk: Desk
    boundaries: bool = True
    struck: list[str] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name in ("callback", "held", "struck"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "callback/hold_run.py").write_text(_CALLBACK)
        self.desk.variables |= {
            _HOLD: str(self.folder),
            "ANSIBLE_CALLBACK_PLUGINS": str(self.folder / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "hold_run",
        }

    @property
    def folder(self) -> Path:
        """Where the callback and the killer meet."""
        return self.desk.folder / "hold"

    def drive(self, *arguments: str) -> None:
        """Run it, and resume it after each kill, until it passes by itself."""
        deadline = Deadline(DEADLINE_SECONDS)
        while True:
            for held in (self.folder / "held").iterdir():
                held.unlink()
            with self.desk.start(*arguments) as process:
                found = deadline.wait_for(lambda: process.poll() is not None or self._moment(), interval=0.01)
                if isinstance(found, str):
                    self._strike(found or "the end of all patience", process.pid)
                out, err = process.communicate(timeout=60)
            if not isinstance(found, str):
                assert process.returncode == 0, f"{self.struck[-3:]}\n{out}\n{err}"
                return
            assert found, f"nothing was to be killed, and nothing came to its end\n{out}\n{err}"
            assert process.returncode == -signal.SIGKILL, f"it had ended at {found}\n{out}\n{err}"
            arguments = ("resume",)

    def _strike(self, moment: str, process: int) -> None:
        self.struck.append(moment)
        self.ended.update(self._ended())
        (self.folder / "struck" / moment).touch()
        os.killpg(process, signal.SIGKILL)

    @property
    def test(self) -> TestFolder:
        """The folder of the only test."""
        (found,) = self.desk.runs.glob("*/tests/*")
        return TestFolder(found)

    @property
    def steps(self) -> Mapping[str, str]:
        """The types of the steps of the plan by their ids."""
        plan = json.loads((self.test.plan / "plan.json").read_bytes())
        return {step["id"]: step["type"] for step in plan["steps"]}

    def _moment(self) -> str:
        """A moment that has not been struck: the end of a step comes before what follows it."""
        ended = (f"{step}@{ENDED}" for step in self._ended() if step not in self.ended)
        held = (path.name for path in sorted((self.folder / "held").iterdir()))
        return next((moment for moment in (*ended, *held) if moment not in self.struck), "")

    def _ended(self) -> Sequence[str]:
        """The steps that have ended. After the last one the run may be over at any time, so it is left out."""
        journals = list(self.desk.runs.glob("*/tests/*/journal.jsonl"))
        entries = lines(journals[0]) if journals else []
        last = list(self.steps)[-1] if journals else ""
        ended = [entry["step"] for entry in entries if self.boundaries and entry["kind"] == "step_ended"]
        return [step for step in ended if step != last]

    def struck_at(self, event: str) -> set[str]:
        """The steps that a kill has hit right after this event in the ledger."""
        return {moment.partition("@")[0] for moment in self.struck if moment.endswith(f"@{event}")}

    @property
    def struck_inside(self) -> set[str]:
        """The steps that a kill has hit while their playbooks were held."""
        return {moment.partition("@")[0] for moment in self.struck if not moment.endswith(f"@{ENDED}")}


def lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file, if it is there."""
    *whole, _ = (path.read_bytes() if path.exists() else b"").split(b"\n")
    return [json.loads(line) for line in whole if line]
