"""`build_artifact`: make what nodes need once on the controller, before there are nodes."""

from __future__ import annotations

from e2e_ansible.errors import UsageError
from e2e_ansible.steps.artifacts import SECONDS, ArtifactOptions, about, from_image, task
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType, play
from e2e_ansible.steps.judgement import Replay

__all__ = ["BuildArtifact"]


class BuildArtifact(StepType[ArtifactOptions]):
    """Build an artifact."""

    name = "build_artifact"
    summary = "Make the load generator or packages once on the controller, for nodes to come"
    options = ArtifactOptions

    def about(self, options: ArtifactOptions) -> str:
        """Its artifact."""
        return about(options)

    def compile(self, options: ArtifactOptions, context: CompileContext) -> CompiledStep:
        """One play on the controller; packages of machines whose image is not made here are fetched by the first.

        Raises:
            UsageError: there is no such machine.
        """
        on_node = options.artifact == "packages" and not from_image(context)
        if on_node and not context.nodes:
            raise UsageError("packages are fetched by the first node, and this test has none")
        hosts = context.nodes[:1] if on_node else ("localhost",)
        keywords = {"become": True} if on_node else {"connection": "local"}
        tasks = [task(options, context, "built")]
        title = "Fetch packages" if options.artifact == "packages" else "Make Stroppy"
        return CompiledStep(
            plays=[play(title, hosts, tasks=tasks, roles=(), **keywords)],
            hosts=hosts,
            deadline_seconds=SECONDS,
            replay=Replay.REPEATABLE,
        )
