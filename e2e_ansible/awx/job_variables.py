"""The variables of a job of `e2e step`, as the typed test and step that they describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from e2e_ansible.checks.registry import checks
from e2e_ansible.errors import UsageError
from e2e_ansible.names import suggestion
from e2e_ansible.steps.base import StepType
from e2e_ansible.steps.drift import Drift
from e2e_ansible.steps.group import Composition
from e2e_ansible.steps.registry import step_types
from e2e_ansible.steps.sites import SiteStep
from e2e_ansible.steps.targets import nodes_with
from e2e_ansible.steps.wait import Wait
from e2e_ansible.suite.model import StepOptions, TestEntry

__all__ = ["Asked", "Registered", "entry_of", "options_of", "refuse_unknown", "runnable"]

_OURS = "e2e_ansible.steps."

Registered = Mapping[str, Mapping[str, Any]]


def _read(value: object) -> object:
    """Text is read as YAML or JSON. AWX turns text such as "5" or "" inside of a mapping into what YAML makes of it."""
    if not isinstance(value, str):
        return value
    try:
        return yaml.safe_load(value) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"this is neither YAML nor JSON: {error}") from error


_Mapping = Annotated[dict[str, Any], BeforeValidator(_read)]


class Asked(BaseModel):
    """The extra variables of a job. `options` are those of the step in a suite, `registered` is of earlier steps.

    `writer` says that rows are written from this step on, `away` names nodes that earlier steps took down. Before it
    begins, the time of its `time_class` must not be over, and the machine have what is in `requirements`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    step_id: str = ""
    options: _Mapping = {}
    provider: str = "local"
    deployment: str = ""
    parameters: _Mapping = {}
    registered: _Mapping = {}
    writer: bool = False
    away: tuple[str, ...] = ()
    time_class: str = ""
    requirements: _Mapping = {}


def runnable() -> Mapping[str, StepType[Any]]:
    """The step types that playbooks/step.yml can run: those of this package, whose roles it knows."""
    return {
        name: kind
        for name, kind in step_types().items()
        if type(kind).__module__.startswith(_OURS)
        and not isinstance(kind, (Composition, Wait, Drift, SiteStep))
    }


def entry_of(asked: Asked) -> TestEntry:
    """The test of which the step is one, without its steps.

    Raises:
        UsageError: its parameters are wrong, or it has what no job can do.
    """
    try:
        entry = TestEntry.model_validate({"provider": asked.provider, "parameters": asked.parameters})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise UsageError(f"e2e_parameters: {_words(first)}") from error
    if not entry.nodes and entry.parameters.database != "existing":
        raise UsageError("e2e_parameters: cluster_size: a cluster has a node at least")
    if entry.parameters.sites:
        # A job knows one cluster; it would make one of both sites.
        raise UsageError("tests with sites are not run by jobs of AWX", hint="e2e-ansible run SUITE")
    return entry


def options_of(kind: StepType[Any], asked: Asked) -> StepOptions:
    """The typed options of the step.

    Raises:
        UsageError: one is wrong; the hint names the nearest right one.
    """
    try:
        return kind.options.model_validate({**asked.options, "step": asked.step})
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
        known = [field.alias or name for name, field in kind.options.model_fields.items()]
        hint = suggestion(str(first["loc"][-1]), known) if first["type"] == "extra_forbidden" else ""
        raise UsageError(f"e2e_options of {asked.step}: {_words(first)}", hint=hint) from error


def _words(error: Mapping[str, Any]) -> str:
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"


def refuse_unknown(kind: StepType[Any], options: StepOptions, labels: Mapping[str, Sequence[str]]) -> None:
    """Refuse nodes that are none of `labels`, and checks that nobody knows.

    Raises:
        UsageError: the hint names the nearest right one.
    """
    nodes = list(labels)
    for field, node in kind.node_names(options):
        if node not in nodes:
            raise UsageError(f"{field}: there is no node {node!r}", hint=suggestion(node, nodes))
    for _, name in kind.target_names(options):
        nodes_with(name, labels)
    known = checks()
    for field, _, text in kind.check_names(options):
        name = text.partition(":")[0]
        if name not in known:
            raise UsageError(f"{field}: there is no check {name!r}", hint=suggestion(name, known))
