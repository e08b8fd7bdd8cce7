"""Keeps what is secret in addresses and passwords out of everything that is told or written."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from e2e_ansible.report.words import clean

__all__ = ["Secrets"]

_SHOWN = "***"
_SHORTEST_SEGMENT, _SHORTEST_VALUE = 6, 4
_LONGEST_TEXT = 400


class Secrets:
    """Words that nobody may see; a message goes through `scrub` before it leaves."""

    def __init__(self) -> None:
        self._words: set[str] = set()

    def add(self, word: str) -> None:
        """One more secret, as it is and as it looks in an address."""
        self._words |= {form for form in (word, quote(word), quote(word, safe=""), unquote(word)) if form}

    def add_url(self, url: str) -> None:
        """The parts of an address that may give access: everything but scheme, host and port."""
        self.add(url)
        for part in _parts(url):
            self.add(part)

    def scrub(self, text: str) -> str:
        """The text on one line, not too long, with every secret in it replaced."""
        for word in sorted(self._words, key=len, reverse=True):
            text = text.replace(word, _SHOWN)
        line = " ".join(clean(text).split())
        return line if len(line) <= _LONGEST_TEXT else f"{line[:_LONGEST_TEXT]}…"


def _parts(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    user, _, _ = parts.netloc.rpartition("@")
    yield from (user, user.partition(":")[2])
    whole = f"{parts.path}?{parts.query}" if parts.query else parts.path
    yield whole.strip("/") and whole
    yield from (word for word in parts.path.split("/") if len(word) >= _SHORTEST_SEGMENT)
    yield from (value for _, value in parse_qsl(parts.query) if len(value) >= _SHORTEST_VALUE)
    yield parts.fragment
