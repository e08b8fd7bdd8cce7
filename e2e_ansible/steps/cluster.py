"""`stop_cluster` and `start_cluster`: the power of all nodes at once."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.providers.capabilities import Requirement
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType
from e2e_ansible.steps.power import start, stop
from e2e_ansible.suite.model import StepOptions

__all__ = ["StartCluster", "StopCluster"]


class StopCluster(StepType[StepOptions]):
    """Stop every node."""

    name = "stop_cluster"
    summary = "Ask every node to power off; the provider proves it"
    options = StepOptions

    def requires(self, options: StepOptions) -> Sequence[Requirement]:
        """The provider must power nodes."""
        return (Requirement.CLUSTER_STOP_START,)

    def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
        """The role `node_power` with operation off on all nodes but those that only drive load."""
        return stop(context.cluster, title="Stop all nodes")


class StartCluster(StepType[StepOptions]):
    """Start every node."""

    name = "start_cluster"
    summary = "Power every node on and wait until all answer"
    options = StepOptions

    def requires(self, options: StepOptions) -> Sequence[Requirement]:
        """The provider must power nodes."""
        return (Requirement.CLUSTER_STOP_START,)

    def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
        """The role `node_power` with operation on on all nodes but those that only drive load."""
        return start(context.cluster, title="Start all nodes")
