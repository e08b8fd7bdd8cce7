"""What the options mean for a run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.pytest_plugin.options import OPTIONS, read
from e2e_ansible.soak.options import COOLDOWN_SECONDS, SoakOptions
from e2e_ansible.suite.model import Contexts, Keep
from e2e_ansible.suite.parameters import Scalar

__all__ = ["Settings"]

_RUNS = "runs"
_OF_ONE_SESSION = ("resume", "dry_run", "results")


@dataclass(frozen=True)
class Settings:
    """What the user has asked for, by command line or environment. Paths start where pytest was started."""

    said: Mapping[str, Any]
    start: Path

    @classmethod
    def of(cls, config: pytest.Config) -> Settings:
        """Those of a session.

        Raises:
            UsageError: a value is wrong.
        """
        return cls(read(config, os.environ), config.invocation_params.dir)

    @property
    def contexts(self) -> Contexts | None:
        """The sites, the primary one first; None when none were named."""
        return (self.said["primary"], self.said["secondary"]) if self.said["primary"] else None

    @property
    def variables(self) -> Mapping[str, Scalar]:
        """Values of variables of suites with sites."""
        return {name: self.said[name] for name in ("method", "old_primary") if self.said[name]}

    @property
    def in_cycles(self) -> bool:
        """Whether suites are done in cycles: something was said of them."""
        names = ("cycles", "run_hours", "max_failures", "cooldown", "inject", "inject_at", "seed")
        return any(self.said[name] is not None for name in names) or bool(self.said["stop_on_failure"])

    @property
    def injects(self) -> bool:
        """Whether failures are injected."""
        return bool(self.said["inject"])

    @property
    def resume(self) -> bool:
        """Whether runs that have not ended go on."""
        return bool(self.said["resume"])

    @property
    def dry_run(self) -> bool:
        """Whether no node is made."""
        return bool(self.said["dry_run"])

    @property
    def allow_plugins(self) -> bool:
        """Whether code beside a suite may run."""
        return bool(self.said["allow_plugins"])

    @property
    def provider(self) -> str | None:
        """What takes the place of the provider of each test."""
        found: str | None = self.said["provider"]
        return found

    @property
    def keep(self) -> Keep | None:
        """What takes the place of what tests say of their nodes."""
        found: Keep | None = self.said["keep"]
        return found

    @property
    def max_nodes(self) -> int | None:
        """How many nodes may exist at once."""
        found: int | None = self.said["max_nodes"]
        return found

    @property
    def runs(self) -> Path:
        """Where run folders are made and looked for."""
        return self.start / (self.said["output_dir"] or _RUNS)

    @property
    def results(self) -> Path | None:
        """The run folder to read."""
        return self.start / self.said["results"] if self.said["results"] else None

    @cached_property
    def seed(self) -> int:
        """That of chance: the one that was said, else one that is drawn."""
        if self.said["seed"] is not None or self.said["inject"] != "random":
            return int(self.said["seed"] or 0)
        from secrets import randbelow

        return randbelow(1_000_000)

    def soak(self, cycles: int | None = None, *, contexts: Contexts | None = None) -> SoakOptions:
        """How a soak goes; without a number of cycles and without a time it has one cycle."""
        wanted = cycles or self.said["cycles"] or (None if self.said["run_hours"] else 1)
        cooldown = self.said["cooldown"]
        return SoakOptions(
            cycles=wanted,
            run_hours=self.said["run_hours"],
            max_failures=self.said["max_failures"],
            cooldown=COOLDOWN_SECONDS if cooldown is None else cooldown,
            stop_on_failure=bool(self.said["stop_on_failure"]),
            contexts=contexts,
            inject=self.said["inject"] or "",
            inject_at_phase=self.said["inject_at"] or "",
            seed=self.seed,
        )

    def bounds(self) -> dict[str, object]:
        """Those that a resumption may change."""
        names = ("cycles", "run_hours", "max_failures", "cooldown")
        said = {name: self.said[name] for name in names if self.said[name] is not None}
        return said | ({"stop_on_failure": True} if self.said["stop_on_failure"] else {})

    def words(self) -> list[str]:
        """The options that a command must have to mean the same."""
        drawn = {"seed": self.seed} if self.said["inject"] == "random" else {}
        said = {**self.said, **drawn}
        words: list[str] = []
        for option in OPTIONS:
            value = said[option.field]
            if option.field not in _OF_ONE_SESSION and value is not None and value is not False:
                words += [option.names[0], str(value)] if option.metavar else [option.names[0]]
        return words
