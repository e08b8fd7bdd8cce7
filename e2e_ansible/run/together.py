"""Several checks with one answer, so that whoever mends one thing does not find the next."""

from __future__ import annotations

from collections.abc import Callable

from e2e_ansible.errors import InfrastructureError, UsageError

__all__ = ["check_together"]


def check_together(*checks: Callable[[], None]) -> None:
    """Make every check, whatever those before it said.

    Raises:
        UsageError, InfrastructureError: all that they said, as an error of the kind of the first.
    """
    found: list[UsageError | InfrastructureError] = []
    for check in checks:
        try:
            check()
        except (UsageError, InfrastructureError) as error:
            found.append(error)
    if len(found) == 1:
        raise found[0]
    if found:
        kind = UsageError if isinstance(found[0], UsageError) else InfrastructureError
        hints = dict.fromkeys(error.hint for error in found if error.hint)
        raise kind("\n".join(map(str, found)), hint="; ".join(hints))
