"""`stop_node` and `start_node`: the power of one node, through the provider."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from e2e_ansible.providers.capabilities import Requirement
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType
from e2e_ansible.steps.power import start, stop
from e2e_ansible.suite.model import StepOptions

__all__ = ["NodeOptions", "StartNode", "StopNode"]


class NodeOptions(StepOptions):
    """Options of a step that acts on one node."""

    target_node: str = Field(description="The node it is done to: n11, n12, ...")


class StopNode(StepType[NodeOptions]):
    """Stop one node."""

    name = "stop_node"
    summary = "Ask one node to power off; the provider proves it"
    options = NodeOptions

    def requires(self, options: NodeOptions) -> Sequence[Requirement]:
        """The provider must power single nodes."""
        return (Requirement.NODE_STOP_START,)

    def compile(self, options: NodeOptions, context: CompileContext) -> CompiledStep:
        """The role `node_power` with operation off."""
        return stop((options.target_node,), title=f"Stop {options.target_node}")


class StartNode(StepType[NodeOptions]):
    """Start one node, or wait for one that starts by itself."""

    name = "start_node"
    summary = "Power one node on and wait until it answers"
    options = NodeOptions

    def requires(self, options: NodeOptions) -> Sequence[Requirement]:
        """The provider must power single nodes."""
        return (Requirement.NODE_STOP_START,)

    def compile(self, options: NodeOptions, context: CompileContext) -> CompiledStep:
        """The role `node_power` with operation on."""
        return start((options.target_node,), title=f"Start {options.target_node}")
