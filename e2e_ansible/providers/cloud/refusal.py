"""What a provider cannot do is refused with a reason, not passed over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from e2e_ansible.errors import UnsupportedOperation, UsageError
from e2e_ansible.providers.base import Operation

__all__ = ["refuse", "way_of"]

T = TypeVar("T")


def refuse(provider: str, given: Mapping[str, object], cannot: Mapping[str, str]) -> None:
    """Parameters of a suite. `cannot` has the reason for each; one that is left out, 0 or empty is not asked for.

    Raises:
        UsageError: one of them is asked for.
    """
    for name, reason in cannot.items():
        if given.get(name):
            raise UsageError(
                f"parameter {name} ({given[name]}) is not possible with provider {provider}", hint=reason
            )


def way_of(provider: str, operation: Operation, ways: Mapping[Operation, T], hint: str = "") -> T:
    """How a provider does an operation; by default the hint has those that it can do.

    Raises:
        UnsupportedOperation: it has no way.
    """
    if operation not in ways:
        can = f"it can do {', '.join(ways)}"
        raise UnsupportedOperation(f"provider {provider} cannot do {operation.value}", hint=hint or can)
    return ways[operation]
