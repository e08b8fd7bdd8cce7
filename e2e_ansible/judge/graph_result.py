"""The time that a graph of steps may take and took, as data: its phases, its steps and its critical path."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["GraphPhase", "GraphResult", "GraphStep"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class GraphStep(_Model):
    """One step of a graph: the steps whose end it waits for, its deadline, and what it took.

    `seconds` is None for a step that was not run or has no end; `critical` steps are those of the critical path.
    """

    step: str
    after: tuple[str, ...] = ()
    level: int
    budget_seconds: float
    seconds: float | None = None
    critical: bool = False


class _Spent(_Model):
    """Seconds that may be spent, were by the wall clock, and were by all steps together; None: not measured."""

    budget_seconds: float
    wall_seconds: float | None = None
    summed_seconds: float | None = None

    @property
    def speed_up(self) -> float | None:
        """How many times longer the same steps would take one by one; None when that was not measured."""
        if not self.wall_seconds or self.summed_seconds is None:
            return None
        return self.summed_seconds / self.wall_seconds


class GraphPhase(_Spent):
    """The steps of a phase, or of a group with a name. `begun`: one of them was run at least."""

    name: str
    steps: tuple[str, ...]
    begun: bool = False


class GraphResult(_Spent):
    """How the steps of a test hang together, and what they took. `path` is the critical one, as it was measured."""

    steps: tuple[GraphStep, ...]
    phases: tuple[GraphPhase, ...] = ()
    path: tuple[str, ...] = ()
    path_seconds: float | None = None
