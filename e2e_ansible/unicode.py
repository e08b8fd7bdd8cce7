"""Text that can be written down: Python keeps bytes that are no UTF-8 as lone surrogates, which no JSON may have."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["whole"]

_LONE = re.compile("[\ud800-\udfff]")


def whole(value: Any) -> Any:
    """The same value of JSON with U+FFFD, the replacement character, for every lone surrogate in its texts."""
    if isinstance(value, str):
        return _LONE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {whole(key): whole(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [whole(item) for item in value]
    return value
