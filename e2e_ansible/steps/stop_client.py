"""`stop_client`: end a client that `start_client` has started; its history stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType, play
from e2e_ansible.steps.client_plan import CONTROLLER, ClientPlan
from e2e_ansible.steps.judgement import Replay
from e2e_ansible.steps.start_client import LABEL, place_of
from e2e_ansible.suite.model import Name, StepOptions

__all__ = ["StopClient", "StopClientOptions"]


class StopClientOptions(StepOptions):
    """Which client."""

    client: Name = Field(description="Name of the client that start_client gave")
    place: str = Field(CONTROLLER, description="Where it lives, as start_client says")


class StopClient(StepType[StopClientOptions]):
    """Stop a client."""

    name = "stop_client"
    summary = "Stop a client after what is under way, and fetch the rest of its history"
    options = StopClientOptions

    def node_names(self, options: StopClientOptions) -> Sequence[tuple[str, str]]:
        """The node that it lives on, if it is one by name."""
        return [] if options.place in (CONTROLLER, LABEL) else [("place", options.place)]

    def compile(self, options: StopClientOptions, context: CompileContext) -> CompiledStep:
        """The role `oracle_client` on a node; on the controller the run itself ends the process."""
        on = place_of(options.place, context)
        title = f"Stop the client {options.client}"
        if on == CONTROLLER:
            said = (
                f"Say what a run does after this play: it stops the client {options.client}, its own process"
            )
            message = "By hand write the line stop to its standard input, or send it SIGTERM"
            task = {"name": said, "ansible.builtin.debug": {"msg": message}}
            made = play(title, "localhost", connection="local", tasks=[task])
        else:
            variables: dict[str, Any] = {
                "oracle_client_name": options.client,
                "oracle_client_state": "stopped",
            }
            roles = [{"role": "oracle_client", "vars": variables}]
            made = play(f"{title} on {on}", (on,), become=True, roles=roles)
        return CompiledStep(
            plays=[made],
            hosts=("localhost",) if on == CONTROLLER else (on,),
            deadline_seconds=120,
            replay=Replay.REPEATABLE,
            client=ClientPlan(act="stop", name=options.client, on=on),
        )
