"""Passwords in what a user wrote: an error shows the line of a file, and must not show them."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["LONGEST", "redacted"]

#: Characters of a password at most. Whoever cuts a text first leaves so many, and those of its user, before and after.
LONGEST: Final = 500

#: Of a URL what stands between the name of the user and the last @; of a connection string its value.
_PASSWORDS = (
    re.compile(rf"(?<=://)[^\s:/@]{{0,100}}:(?P<secret>\S{{1,{LONGEST}}})@"),
    re.compile(
        rf"\bpassword\s{{0,9}}=\s{{0,9}}(?P<secret>'(?:[^'\\]|\\.){{0,{LONGEST}}}'|[^\s'\"&,}}\]]{{1,{LONGEST}}})",
        re.IGNORECASE,
    ),
)


def redacted(text: str) -> str:
    """The text with stars in place of each password; as long as it was, so that columns stay right.

    >>> redacted("postgres://app:s3cret@db/x?sslmode=require")
    'postgres://app:******@db/x?sslmode=require'
    """
    for pattern in _PASSWORDS:
        text = pattern.sub(_stars, text)
    return text


def _stars(found: re.Match[str]) -> str:
    begin, end = (place - found.start() for place in found.span("secret"))
    whole = found.group()
    return f"{whole[:begin]}{'*' * (end - begin)}{whole[end:]}"
