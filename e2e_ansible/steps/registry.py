"""All step types by name: built in, from entry points (group `e2e_ansible.steps`), and registered by hand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from e2e_ansible.errors import HarnessError, UsageError
from e2e_ansible.steps.backup_site import BackupSite
from e2e_ansible.steps.base import StepType
from e2e_ansible.steps.build_artifact import BuildArtifact
from e2e_ansible.steps.cluster import StartCluster, StopCluster
from e2e_ansible.steps.crash_node import CrashNode
from e2e_ansible.steps.create_nodes import CreateNodes
from e2e_ansible.steps.custom_command import CustomCommand
from e2e_ansible.steps.decommission_site import DecommissionSite
from e2e_ansible.steps.demote_site import DemoteSite
from e2e_ansible.steps.deploy import Deploy
from e2e_ansible.steps.destroy import Destroy
from e2e_ansible.steps.drift import Drift
from e2e_ansible.steps.fault import FaultStep
from e2e_ansible.steps.group import Group
from e2e_ansible.steps.heal import HealStep
from e2e_ansible.steps.hypothesis import Hypothesis
from e2e_ansible.steps.init import Init
from e2e_ansible.steps.install import Install
from e2e_ansible.steps.load_artifact import LoadArtifact
from e2e_ansible.steps.node import StartNode, StopNode
from e2e_ansible.steps.promote_site import PromoteSite
from e2e_ansible.steps.restart_node import RestartNode
from e2e_ansible.steps.restore_site import RestoreSite
from e2e_ansible.steps.run_load import RunLoad
from e2e_ansible.steps.run_pgbench import RunPgbench
from e2e_ansible.steps.run_stroppy import RunStroppy
from e2e_ansible.steps.start_client import StartClient
from e2e_ansible.steps.stop_client import StopClient
from e2e_ansible.steps.validate import Validate
from e2e_ansible.steps.wait import Wait

__all__ = ["ENTRY_POINT_GROUP", "register", "step_types"]

ENTRY_POINT_GROUP = "e2e_ansible.steps"

_BUILT_IN: tuple[type[StepType[Any]], ...] = (
    BuildArtifact,
    Init,
    LoadArtifact,
    Deploy,
    CreateNodes,
    Install,
    Validate,
    Drift,
    StopCluster,
    StartCluster,
    StopNode,
    StartNode,
    RestartNode,
    CrashNode,
    FaultStep,
    HealStep,
    DemoteSite,
    PromoteSite,
    BackupSite,
    RestoreSite,
    DecommissionSite,
    StartClient,
    StopClient,
    RunStroppy,
    RunPgbench,
    RunLoad,
    CustomCommand,
    Destroy,
    Group,
    Hypothesis,
    Wait,
)
_registered: dict[str, StepType[Any]] = {}


def register(step_type: type[StepType[Any]]) -> type[StepType[Any]]:
    """Add a step type; usable as a class decorator.

    Raises:
        UsageError: another step type has this name.
    """
    name = step_type.name
    if name in step_types() and type(step_types()[name]).__qualname__ != step_type.__qualname__:
        raise UsageError(f"a step type named {name!r} exists already")
    _registered[name] = step_type()
    return step_type


def step_types() -> Mapping[str, StepType[Any]]:
    """Every step type by name."""
    return {**_built_in(), **_from_entry_points(), **_registered}


@lru_cache(maxsize=1)
def _built_in() -> Mapping[str, StepType[Any]]:
    return {step_type.name: step_type() for step_type in _BUILT_IN}


@lru_cache(maxsize=1)
def _from_entry_points() -> Mapping[str, StepType[Any]]:
    found: dict[str, StepType[Any]] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        step_type = _load(point)
        if step_type.name in _built_in() or step_type.name in found:
            raise HarnessError(f"{_title(point)} brings a second step type {step_type.name!r}")
        found[step_type.name] = step_type
    return found


def _load(point: EntryPoint) -> StepType[Any]:
    try:
        step_type = point.load()
    except Exception as error:
        text = f"{_title(point)} cannot be loaded: {type(error).__name__}: {error}"
        raise HarnessError(text, hint="update or remove the package that brings it") from error
    if not (isinstance(step_type, type) and issubclass(step_type, StepType)):
        raise HarnessError(f"{_title(point)} is not a StepType")
    made: StepType[Any] = step_type()
    return made


def _title(point: EntryPoint) -> str:
    return f"the entry point {point.name} = {point.value} ({ENTRY_POINT_GROUP})"
