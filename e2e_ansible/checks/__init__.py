"""Checks: pure predicates over what was observed, one module per family, found by name in `registry`."""

from __future__ import annotations

from e2e_ansible.checks.base import Check, Outcome, Situation, failed, passed, unknown
from e2e_ansible.checks.registry import ValidationRegistry, checks, evaluate, parse, validation_registry

__all__ = [
    "Check",
    "Outcome",
    "Situation",
    "ValidationRegistry",
    "checks",
    "evaluate",
    "failed",
    "parse",
    "passed",
    "unknown",
    "validation_registry",
]
