"""The JSON view: each notice as one JSON object on one line, for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO

from e2e_ansible.report.notice import Notice
from e2e_ansible.report.sink import LineSink

__all__ = ["JsonView"]


class JsonView:
    """A listener that writes JSON lines in ASCII, which no encoding and no line separator can break."""

    def __init__(self, stream: IO[str]) -> None:
        self._sink = LineSink(stream)

    def __call__(self, notice: Notice) -> None:
        """Write one notice; never raises."""
        self._sink.write(
            json.dumps(_plain(notice.model_dump(warnings=False)), allow_nan=False, separators=(",", ":"))
        )


def _plain(value: object) -> object:
    """The value as JSON has it: what it cannot hold becomes text; a number that is not finite, null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int)) else str(value)
