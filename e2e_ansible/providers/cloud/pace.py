"""How long a cloud is waited for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pace"]


@dataclass(frozen=True)
class Pace:
    """Seconds: for one call with its repetitions, for a whole deployment, between two looks.

    `lag` is how long a machine may stay unseen after the provider was asked for it.
    """

    call: float = 120
    whole: float = 900
    look: float = 2
    lag: float = 15
