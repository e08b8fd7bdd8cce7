"""What a validator refuses of a value that it was given whole: which part of it, and what to do."""

from __future__ import annotations

__all__ = ["WrongPart"]


class WrongPart(ValueError):
    """`path` leads from the value to the part; with `of_key` it is the last key of it that is wrong."""

    def __init__(self, message: str, path: tuple[str | int, ...], *, hint: str = "", of_key: bool = False):
        super().__init__(message)
        self.path = path
        self.hint = hint
        self.of_key = of_key
