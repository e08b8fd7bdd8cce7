"""Numbers with as many digits as mean something: versions of Python add up differently, and differ after those."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel

__all__ = ["DIGITS", "settled"]

DIGITS = 12

Model = TypeVar("Model", bound=BaseModel)


def settled(model: Model) -> Model:
    """The same with each number to `DIGITS` significant digits.

    Raises:
        pydantic.ValidationError: the model does not take its own values.
    """
    return type(model).model_validate(_settled(model.model_dump()))


def _settled(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: _settled(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_settled, value))
    return value
