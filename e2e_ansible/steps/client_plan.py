"""What a plan says of a client: where it lives, whom it asks, and what it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CONTROLLER", "ClientPlan"]

CONTROLLER = "controller"


class ClientPlan(BaseModel):
    """One client that a step starts or stops. `on` is `controller` or a node.

    `hosts` are nodes or addresses in the order in which they are tried; `settings` the fields of its configuration
    (see `oracle.config.ClientConfig`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    act: Literal["start", "stop"]
    name: str
    on: str = CONTROLLER
    hosts: tuple[str, ...] = ()
    settings: Mapping[str, str | float | int] = Field(default_factory=dict)
