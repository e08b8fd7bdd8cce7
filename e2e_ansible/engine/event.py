"""One event of a playbook, in the keys that ansible-runner and AWX have in common."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.unicode import whole

__all__ = ["Event", "Kind"]


class Kind(StrEnum):
    """Every event kind that ansible-runner's callback can emit, and `ERROR`, which AWX knows beside them.

    A test compares this with ansible-runner itself.
    """

    START = "playbook_on_start"
    NOTIFY = "playbook_on_notify"
    INCLUDE = "playbook_on_include"
    NO_HOSTS_MATCHED = "playbook_on_no_hosts_matched"
    NO_HOSTS_REMAINING = "playbook_on_no_hosts_remaining"
    TASK_START = "playbook_on_task_start"
    VARS_PROMPT = "playbook_on_vars_prompt"
    SETUP = "playbook_on_setup"
    IMPORT_FOR_HOST = "playbook_on_import_for_host"
    NOT_IMPORT_FOR_HOST = "playbook_on_not_import_for_host"
    PLAY_START = "playbook_on_play_start"
    STATS = "playbook_on_stats"
    HOST_START = "runner_on_start"
    OK = "runner_on_ok"
    FAILED = "runner_on_failed"
    ERROR = "runner_on_error"
    SKIPPED = "runner_on_skipped"
    UNREACHABLE = "runner_on_unreachable"
    NO_HOSTS = "runner_on_no_hosts"
    ASYNC_POLL = "runner_on_async_poll"
    ASYNC_OK = "runner_on_async_ok"
    ASYNC_FAILED = "runner_on_async_failed"
    FILE_DIFF = "runner_on_file_diff"
    RETRY = "runner_retry"
    ITEM_OK = "runner_item_on_ok"
    ITEM_FAILED = "runner_item_on_failed"
    ITEM_SKIPPED = "runner_item_on_skipped"
    VERBOSE = "verbose"
    DEBUG = "debug"
    WARNING = "warning"
    SYSTEM_WARNING = "system_warning"
    DEPRECATED = "deprecated"
    ERROR_MESSAGE = "error"


class Event(BaseModel):
    """One event. `counter` orders the events of one playbook run; `stdout` is what Ansible printed with it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Kind = Field(alias="event")
    counter: int
    created: str = ""
    stdout: str = ""
    data: Mapping[str, Any] = Field(default_factory=dict, alias="event_data")

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Event:
        """The event in what ansible-runner gives, with text that can be written down.

        Raises:
            ValidationError: it is none.
        """
        event = cls.model_validate(raw)
        try:
            event.line()
        except ValueError:  # what a command has printed may be anything
            return cls.model_validate(whole(dict(raw)))
        return event

    @property
    def host(self) -> str:
        """The inventory name of the host, '' for events of the whole play."""
        return str(self.data.get("host") or "")

    @property
    def task(self) -> str:
        """The name of the task, with its role in front as Ansible prints it."""
        name, role = str(self.data.get("task") or ""), str(self.data.get("role") or "")
        return f"{role} : {name}" if role and not name.startswith(f"{role} :") else name

    @property
    def result(self) -> Mapping[str, Any]:
        """What the module returned; empty when the runner dropped it."""
        found = self.data.get("res")
        return found if isinstance(found, Mapping) else {}

    def line(self) -> str:
        """The event as one compact JSON line, in the recorded key names."""
        return self.model_dump_json(by_alias=True)
