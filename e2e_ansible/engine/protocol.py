"""What an engine is: one playbook, one inventory, events as they happen, and how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from e2e_ansible.engine.event import Event

__all__ = ["Cancel", "Ended", "Engine", "Outcome", "PlayRequest"]


class Ended(StrEnum):
    """How a playbook run ended. ERROR: Ansible itself could not run it; LOST: nobody can tell any more how it ended."""

    COMPLETED = "completed"
    TIMEOUT = "timeout"
    CANCELED = "canceled"
    ERROR = "error"
    LOST = "lost"


class Outcome(BaseModel):
    """The end of one playbook run; `rc` is ansible-playbook's exit status, None if it had none.

    `engine` is the one that ran it, and `why` says why it was not the one that was asked for.
    """

    model_config = ConfigDict(frozen=True)

    ended: Ended
    rc: int | None
    message: str = ""
    engine: str = ""
    why: str = ""


class Cancel:
    """A one-way switch shared by everything that must stop."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask everyone to stop."""
        self._event.set()

    @property
    def is_set(self) -> bool:
        """Whether a stop was asked for."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds`; True as soon as a stop is asked for."""
        return self._event.wait(seconds)


@dataclass(frozen=True)
class PlayRequest:
    """One playbook to run. `project` is the plan folder; `artifacts` gets Ansible's output; times in seconds.

    `token` marks every process of this run in its environment, so that none can outlive it unseen.
    """

    project: Path
    playbook: str
    inventory: str
    artifacts: Path
    deadline_seconds: float
    token: str
    environment: Mapping[str, str] = field(default_factory=dict)
    verbosity: int = 0
    limit: str = ""


class Engine(Protocol):
    """Runs playbooks."""

    def run(self, request: PlayRequest, on_event: Callable[[Event], None], cancel: Cancel) -> Outcome:
        """Run one playbook to its end, its deadline or its cancellation; never raises for what Ansible does.

        `on_event` is called in order, from one thread at a time. When it returns, no process of the request lives
        but the masters of ssh, which the next one may use.
        """
        ...
