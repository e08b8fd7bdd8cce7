"""What a step says about itself for later: how its events become a verdict, and whether a resumed run may repeat it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from e2e_ansible.suite.model import Retry
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["Judgement", "Replay"]


class Replay(StrEnum):
    """What a resumed run may do with a step that had begun."""

    REPEATABLE = "repeatable"
    VERIFY_FIRST = "verify-first"
    NEVER = "never"


class Judgement(BaseModel):
    """How a step's events become a verdict.

    `failure_cause` and `timeout_cause` are the causes when nothing more special is known.
    `proofs` names the hosts that must each return a proof (`e2e_proof`) of what was done to them; without it
    the step gets the verdict `unproved`, never pass. `observes` says that the play returns an observation, which
    `checks` are held against. `disconnects` are the hosts that may become unreachable during this step; `away`
    those that earlier steps took away on purpose. `needs_integrity` says that the rows acknowledged until then
    must be known. `chooses` says that the play itself tells which hosts must return a proof.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    failure_cause: Cause = Cause.INFRASTRUCTURE
    timeout_cause: Cause = Cause.INFRASTRUCTURE
    proofs: tuple[str, ...] = ()
    unproved: Verdict = Verdict.UNKNOWN
    observes: bool = False
    checks: tuple[str, ...] = ()
    allow_failures: tuple[str, ...] = ()
    retry: Retry = Retry()
    disconnects: tuple[str, ...] = ()
    away: tuple[str, ...] = ()
    register_as: str | None = None
    needs_integrity: bool = False
    chooses: bool = False
