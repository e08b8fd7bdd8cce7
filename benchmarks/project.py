"""A project of one playbook per task, and the ways to run one: what all sections about single steps share."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ansible_runner
import yaml

from e2e_ansible.compile.compiler import ANSIBLE_CFG
from e2e_ansible.content import content_root
from e2e_ansible.engine.event import Event
from e2e_ansible.engine.protocol import Cancel, Ended, Engine, Outcome, PlayRequest

__all__ = ["Project"]

_BINARY = Path(sys.executable).with_name("ansible-playbook")


@dataclass(frozen=True)
class Project:
    """A folder with the configuration that compiled plans have, and an inventory."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, inventory: str, tasks: Mapping[str, Mapping[str, object]]) -> Project:
        """Write one; `tasks` are the playbooks, by name, of one task each on all hosts."""
        folder.mkdir(exist_ok=True)
        (folder / "ansible.cfg").write_text(ANSIBLE_CFG)
        (folder / "content").symlink_to(content_root())
        (folder / "hosts.ini").write_text(inventory)
        (folder / "artifacts").mkdir()
        for name, task in tasks.items():
            made = cls(folder)
            made.write(name, [{"name": "One task", **task}])
        return cls(folder)

    def write(self, name: str, tasks: Sequence[Mapping[str, object]]) -> None:
        """A playbook with these tasks."""
        play = {"hosts": "all", "gather_facts": False, "tasks": list(tasks)}
        (self.folder / f"{name}.yml").write_text(yaml.safe_dump([play]))

    def plain(self, name: str) -> None:
        """`ansible-playbook`, as a user would."""
        command = [str(_BINARY), "-i", "hosts.ini", f"{name}.yml"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def stock(self, name: str) -> None:
        """`ansible_runner.run` with its defaults, in a process that has it imported."""
        with tempfile.TemporaryDirectory() as private:
            done = ansible_runner.run(
                private_data_dir=private,
                project_dir=str(self.folder),
                envvars={"ANSIBLE_CONFIG": str(self.folder / "ansible.cfg")},
                playbook=f"{name}.yml",
                inventory=str(self.folder / "hosts.ini"),
                quiet=True,
            )
        if done.rc != 0:
            raise RuntimeError(f"{name} ended with {done.rc}")

    def request(self, name: str, *, seconds: float = 600) -> PlayRequest:
        """The playbook as an engine wants it."""
        return PlayRequest(
            self.folder, f"{name}.yml", "hosts.ini", self.folder / "artifacts", seconds, f"bench-{name}"
        )

    def ours(self, engine: Engine, name: str) -> Outcome:
        """By an engine of this project, with events that are written to a log as in a run."""
        with (self.folder / "events.jsonl").open("a", encoding="utf-8") as log:

            def write(event: Event) -> None:
                log.write(json.dumps(event.model_dump(mode="json")) + "\n")

            outcome = engine.run(self.request(name), write, Cancel())
        if outcome.ended is not Ended.COMPLETED or outcome.rc != 0:
            raise RuntimeError(f"{name}: {outcome}")
        return outcome
