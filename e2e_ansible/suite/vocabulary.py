"""The words a suite may use: step types, checks and providers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from e2e_ansible.checks.base import Check
    from e2e_ansible.providers.capabilities import Cell, Requirement
    from e2e_ansible.steps.base import StepType

__all__ = ["Vocabulary"]


@dataclass(frozen=True)
class Vocabulary:
    """All known words by name. Third parties add theirs to the registries, or give their own vocabulary."""

    step_types: Mapping[str, StepType[Any]]
    checks: Mapping[str, Check]
    providers: Mapping[str, Mapping[Requirement, Cell]]

    @classmethod
    def default(cls) -> Vocabulary:
        """What is built in or registered; the registries are imported only here, as they import the model."""
        from e2e_ansible.checks.registry import checks
        from e2e_ansible.providers.capabilities import PROVIDERS
        from e2e_ansible.steps.registry import step_types

        return cls(step_types(), checks(), PROVIDERS)
