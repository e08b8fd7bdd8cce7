"""Parameters of a suite that a provider cannot follow are refused, not passed over."""

from __future__ import annotations

from collections.abc import Mapping

from e2e_ansible.errors import UsageError

__all__ = ["refuse"]


def refuse(provider: str, given: Mapping[str, object], cannot: Mapping[str, str]) -> None:
    """`cannot` has the reason for each parameter. One that is left out, 0 or empty is not asked for.

    Raises:
        UsageError: one of them is asked for.
    """
    for name, reason in cannot.items():
        if given.get(name):
            raise UsageError(
                f"parameter {name} ({given[name]}) is not possible with provider {provider}", hint=reason
            )
