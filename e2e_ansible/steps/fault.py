"""`fault`: inject a fault and prove its effect. Unproved it is healed and unknown, never a pass."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, field_validator, model_validator

from e2e_ansible.errors import UsageError
from e2e_ansible.faults.base import Fault, NodeFacts, PowerFault
from e2e_ansible.faults.choose import fixed
from e2e_ansible.faults.registry import fault_named, options_of
from e2e_ansible.providers.capabilities import Requirement
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType, play
from e2e_ansible.steps.judgement import Judgement
from e2e_ansible.suite.model import StepOptions

__all__ = ["FaultStep", "FaultStepOptions"]

_STEP_SECONDS = 300
_POWER_SECONDS = 900
_CLIENT = "client"
_NODE = re.compile(r"^[nc][0-9]+$")


class FaultStepOptions(StepOptions):
    """Which fault, where, and for how long."""

    fault: str = Field(description="Which fault; docs/faults.md lists them with their options")
    target: str = Field(
        description="A node, label:X, primary, replica, one, minority, majority, all, random or random:N"
    )
    options: Mapping[str, Any] = Field(default_factory=dict, description="Options of the fault")
    seed: int = Field(0, ge=0, description="Seed of what is drawn by chance; 0: the first node that fits")
    for_seconds: float | None = Field(
        None,
        gt=0,
        le=86_400,
        description="Heal it after so long; else it stays until a step heal, or the end",
    )
    expires_seconds: float = Field(
        3600, gt=0, le=604_800, description="After so long the node heals it by itself, if nobody comes"
    )

    @field_validator("fault")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            fault_named(value)
        except UsageError as error:
            raise ValueError(f"{error}; {error.hint}") from error
        return value

    @model_validator(mode="after")
    def _expires_later(self) -> FaultStepOptions:
        if self.for_seconds and self.for_seconds >= self.expires_seconds:
            raise ValueError(
                f"expires_seconds ({self.expires_seconds:g}) must be more than for_seconds ({self.for_seconds:g})"
            )
        return self

    @property
    def fault_names(self) -> tuple[str, ...]:
        """How a step `heal` may call it."""
        return (self.name or self.fault, self.fault)


class FaultStep(StepType[FaultStepOptions]):
    """Inject a fault."""

    name = "fault"
    summary = "Inject a fault; its effect is proved, and what heals it is written down before"
    options = FaultStepOptions

    def node_names(self, options: FaultStepOptions) -> Sequence[tuple[str, str]]:
        """The target, if it is meant to be a node."""
        return [("target", options.target)] if _NODE.match(options.target) else []

    def requires(self, options: FaultStepOptions) -> Sequence[Requirement]:
        """Power operations that the fault and its heal need of the provider."""
        fault = fault_named(options.fault)
        try:
            typed = options_of(fault, options.options)
        except UsageError:  # told where it is written
            return fault.requires
        apart = fault.refusal(typed, NodeFacts(options.target, "", container=True)) != ""
        return (*fault.requires, Requirement.OWN_KERNEL) if apart else fault.requires

    def compile(self, options: FaultStepOptions, context: CompileContext) -> CompiledStep:
        """The role `fault`, on the nodes that are known now, else on all that may be chosen."""
        fault = fault_named(options.fault)
        candidates = _candidates(options.target, context)
        known = fixed(options.target, {node: context.labels.get(node, ()) for node in candidates})
        typed = options_of(fault, options.options)
        hosts = fault.places(typed, known, candidates) if known else candidates
        if not hosts:
            hosts = candidates
        healed = options.for_seconds is not None
        return CompiledStep(
            plays=[
                play(
                    f"Inject {fault.name} on {options.target}",
                    hosts,
                    roles=[{"role": "fault", "vars": _variables(options, candidates, context)}],
                )
            ],
            hosts=hosts,
            deadline_seconds=_seconds(fault) + (options.for_seconds or 0),
            judgement=Judgement(
                proofs=hosts if known else (),
                chooses=not known,
                disconnects=hosts if fault.disconnects else (),
            ),
            takes_away=hosts if fault.takes_away and not healed else (),
            faults=options.fault_names,
        )


def _candidates(target: str, context: CompileContext) -> tuple[str, ...]:
    """Nodes that only drive load are chosen by their name or label alone."""
    if target in context.nodes or target.startswith("label:"):
        return context.nodes
    return tuple(node for node in context.nodes if _CLIENT not in context.labels.get(node, ()))


def _seconds(fault: Fault[Any]) -> float:
    return _POWER_SECONDS if isinstance(fault, PowerFault) else _STEP_SECONDS


def _variables(
    options: FaultStepOptions, candidates: Sequence[str], context: CompileContext
) -> dict[str, Any]:
    variables: dict[str, Any] = {
        "fault_name": options.fault,
        "fault_target": options.target,
        "fault_title": options.name or options.fault,
        "fault_candidates": list(candidates),
        "fault_expires_seconds": options.expires_seconds,
    }
    if context.parameters.database == "patroni":
        variables["fault_patroni"] = True
    if options.options:
        variables["fault_options"] = dict(options.options)
    if options.seed:
        variables["fault_seed"] = options.seed
    if options.for_seconds is not None:
        variables["fault_for_seconds"] = options.for_seconds
    return variables
