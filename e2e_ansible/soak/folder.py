"""Where everything of a soak lies in its run folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from e2e_ansible.compile.plan import Plan
from e2e_ansible.run.folder import RunFolder, TestFolder, make_private, write_private
from e2e_ansible.run.plan_folder import write_plan
from e2e_ansible.run.unreadable import unreadable
from e2e_ansible.soak.parts import END, SET_UP
from e2e_ansible.soak.rules import State

__all__ = ["SoakFolder", "cycle_id"]

_HASH = 12
_DEPTH = "../.."  # from the folder of a part to that of the run


def cycle_id(number: int) -> str:
    """The name of a cycle in records and files."""
    return f"cycle_{number:03d}"


@dataclass(frozen=True)
class SoakFolder:
    """The folder of a run that is a soak."""

    run: RunFolder

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.run.path

    @property
    def state(self) -> Path:
        """Where the soak stands."""
        return self.path / "soak.json"

    @property
    def metrics(self) -> Path:
        """The records, as they happen."""
        return self.path / "metrics" / "metrics.jsonl"

    @property
    def results(self) -> Path:
        """A line for each phase of each cycle."""
        return self.path / "cycle_results.csv"

    @property
    def alerts(self) -> Path:
        """A file for each alert."""
        return self.path / "alerts"

    @property
    def summary(self) -> Path:
        """All cycles in short."""
        return self.path / "summary.json"

    def cycle_metrics(self, number: int) -> Path:
        """What a cycle came to."""
        return self.path / "metrics" / f"metrics_{cycle_id(number)}.json"

    def cycle_state(self, number: int) -> Path:
        """How far a cycle is."""
        return self.path / "states" / f"{cycle_id(number)}_state.json"

    def make(self) -> None:
        """Make the folders of it.

        Raises:
            OSError: one could not be made.
        """
        for name in ("plans", "tests", "cycles", "manifests", "states", "metrics", "alerts"):
            make_private(self.path / name)

    def name_of(self, part: str, number: int) -> str:
        """The folder of a part relative to the run's."""
        return f"tests/{part}" if part in (SET_UP, END) else f"cycles/{number:04d}"

    def part(self, part: str, number: int) -> TestFolder:
        """The folder of a part."""
        return self.run.test(self.name_of(part, number))

    def keep_plan(self, plan: Plan) -> Path:
        """Write a plan once, however many cycles follow it.

        Raises:
            OSError: it could not be written.
        """
        place = self.plan(plan.hash)
        if not place.exists():
            beside = place.with_name(f".{place.name}.new")
            make_private(beside)
            write_plan(plan, beside)
            beside.replace(place)
        return place

    def plan(self, digest: str) -> Path:
        """Where the plan with this hash is."""
        return self.path / "plans" / digest[:_HASH]

    def begin(self, part: str, number: int, plan: Plan) -> TestFolder:
        """Make the folder of a part, with its plan. Safe to repeat.

        Raises:
            OSError: it could not be made.
        """
        folder = self.part(part, number)
        make_private(folder.path)
        place = self.keep_plan(plan)
        if not folder.plan.is_symlink():
            folder.plan.symlink_to(f"{_DEPTH}/{place.relative_to(self.path)}")
        return folder

    def cycles(self) -> Iterator[int]:
        """The numbers of the cycles that were begun, in order."""
        yield from sorted(
            int(path.name) for path in (self.path / "cycles").iterdir() if path.name.isdecimal()
        )

    def read_state(self) -> State:
        """Where the soak stands.

        Raises:
            HarnessError: the file cannot be read.
        """
        try:
            return State.model_validate_json(self.state.read_bytes())
        except (OSError, ValidationError) as error:
            raise unreadable(self.state, error) from error

    def write_state(self, state: State) -> None:
        """Replace it as a whole.

        Raises:
            OSError: it could not be written; the old one is still there.
        """
        write_private(self.state, state.to_json())
