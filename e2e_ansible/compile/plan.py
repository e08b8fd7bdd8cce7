"""The plan: what will be run, step by step, and how each step will be judged. Plain data with a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.steps.judgement import Judgement, Replay
from e2e_ansible.suite.model import Database, Keep, Requirements, SourceRef

__all__ = ["Plan", "PlannedNode", "PlannedStep"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedNode(_Model):
    """A node the test will make."""

    name: str
    labels: tuple[str, ...]


class PlannedStep(_Model):
    """One step: its playbook, its deadline in seconds, and where in the suite it came from.

    `lines` is the source map of the playbook: the line of each role, play and task in it, by name.
    """

    index: int
    id: str
    type: str
    description: str
    playbook: str
    hosts: tuple[str, ...]
    deadline_seconds: float
    replay: Replay
    source: SourceRef
    judgement: Judgement
    lines: Mapping[str, int] = Field(default_factory=dict)
    starts_writer: bool = False
    removes_nodes: bool = False


class Plan(_Model):
    """One compiled test. `files` are relative paths to contents; the hash covers all of it."""

    name: str
    provider: str
    description: str
    suite_file: str
    suite_digest: str
    nodes: tuple[PlannedNode, ...]
    database: Database
    primary: str
    admin_ui: bool
    writer: bool
    keep: Keep
    requirements: Requirements
    parameters: Mapping[str, Any]
    source: SourceRef
    steps: tuple[PlannedStep, ...]
    content_digest: str = Field("", description="SHA-256 over the roles and plugins that the playbooks use")
    files: Mapping[str, str] = Field(default_factory=dict, exclude=True, repr=False)

    def to_json(self) -> str:
        """The text of plan.json: without the files, with stable key order."""
        return self.model_dump_json(indent=1) + "\n"

    @property
    def hash(self) -> str:
        """SHA-256 over the plan and every generated file; the same input gives the same hash."""
        digest = hashlib.sha256(self.to_json().encode())
        for name in sorted(self.files):
            digest.update(f"\0{name}\0{self.files[name]}".encode())
        return digest.hexdigest()
