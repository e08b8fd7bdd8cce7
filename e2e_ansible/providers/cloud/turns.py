"""An operation that a provider has no single call for, as several that follow each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from e2e_ansible.providers.cloud.machine import Pending

__all__ = ["in_turn"]


def in_turn(steps: Sequence[Callable[[], Pending]]) -> Pending:
    """Ask for the first step at once, and for each other one when the one before has ended.

    A step that cannot be asked for raises, and is asked for again when the answer is called again.
    """
    left = list(steps)
    current = left.pop(0)()

    def ended() -> bool:
        nonlocal current
        while current():
            if not left:
                return True
            current = left[0]()
            left.pop(0)
        return False

    return ended
