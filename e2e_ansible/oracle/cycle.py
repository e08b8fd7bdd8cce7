"""Which cycle of a soak clients work in, and what earlier cycles have left in their tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["CYCLE", "EARLIER", "Cycle"]

#: Variables of the environment by which the role `oracle_client` learns the same.
CYCLE, EARLIER = "E2E_CYCLE", "E2E_EARLIER_ROWS"


@dataclass(frozen=True)
class Cycle:
    """The cycle, 0 outside of all; `rows` are acknowledged ones of earlier cycles, by client."""

    number: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)

    def settings(self, client: str) -> Mapping[str, int]:
        """What a client is told of it."""
        return {"cycle": self.number, "earlier": self.rows.get(client, 0)} if self.number else {}

    def environment(self) -> Mapping[str, str]:
        """What plays are told of it."""
        return {CYCLE: str(self.number), EARLIER: json.dumps(dict(self.rows))} if self.number else {}
