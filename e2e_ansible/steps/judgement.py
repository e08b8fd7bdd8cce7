"""What a step says about itself for later: how its events become a verdict, and whether a resumed run may repeat it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from e2e_ansible.load.limits import LoadLimits
from e2e_ansible.suite.model import Retry
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["TRANSIENT_RETRIES", "Judgement", "Replay"]

#: Of steps that set up: how often they are played again when an archive, a lock or a network failed for a moment.
TRANSIENT_RETRIES = 3


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
    must be known. `chooses` says that the play itself tells which hosts must return a proof. `load` are the limits
    of a load that the play must return, None where there is none. `transient_retries` is how often it is played again
    after a failure that is known to pass by itself.
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
    load: LoadLimits | None = None
    transient_retries: int = 0

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        made: dict[str, Any] = handler(self)
        return {key: item for key, item in made.items() if item or key not in ("load", "transient_retries")}
