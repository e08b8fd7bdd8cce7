"""`load_artifact`: copy what was made on the controller to nodes, so that installing it needs no network."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from e2e_ansible.steps.artifacts import SECONDS, ArtifactOptions, about, task
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType, play
from e2e_ansible.steps.judgement import Replay
from e2e_ansible.steps.targets import nodes_of
from e2e_ansible.suite.labels import SETUP_SOFTWARE

__all__ = ["LoadArtifact", "LoadArtifactOptions"]


class LoadArtifactOptions(ArtifactOptions):
    """An artifact and where it goes."""

    targets: tuple[str, ...] = Field(
        (SETUP_SOFTWARE,), min_length=1, strict=False, description="Nodes, or labels of nodes; by default all"
    )


class LoadArtifact(StepType[LoadArtifactOptions]):
    """Load an artifact."""

    name = "load_artifact"
    summary = "Copy the load generator or packages from the controller to nodes"
    options = LoadArtifactOptions

    def about(self, options: LoadArtifactOptions) -> str:
        """Its artifact."""
        return about(options)

    def target_names(self, options: LoadArtifactOptions) -> Sequence[tuple[str, str]]:
        """The targets."""
        return [("targets", name) for name in options.targets]

    def compile(self, options: LoadArtifactOptions, context: CompileContext) -> CompiledStep:
        """One play on the nodes; what nobody has made yet is made first."""
        nodes = nodes_of(options.targets, context)
        title = f"Load {'packages' if options.artifact == 'packages' else 'Stroppy'}"
        return CompiledStep(
            plays=[play(title, nodes, become=True, tasks=[task(options, context, "loaded")])],
            hosts=nodes,
            deadline_seconds=SECONDS,
            replay=Replay.REPEATABLE,
        )
