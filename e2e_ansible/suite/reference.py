"""`${scope.name}` in a text: read, put in, and what is left for run time.

In a run of dollars right before a brace each pair stands for one dollar: `${x}` refers, `$${x}` is the text
`${x}`, `$$${x}` is a dollar and a reference. Only `${steps.NAME.FIELD}` is left in place, because its value
is not known before the run; where the text `${steps` itself is meant, its dollars stay doubled until
`split_references`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = [
    "FIELDS",
    "Reference",
    "StepReference",
    "escape",
    "kept_references",
    "split_references",
    "split_text",
    "step_reference",
]

FIELDS = ("stdout", "stderr", "rc", "json")
STEPS = "steps"
_DOLLARS = re.compile(r"(?<!\$)(\$+)\{")
_STEP_DOLLARS = re.compile(r"(?<!\$)(\$+)(?=\{steps)")


@dataclass(frozen=True)
class Reference:
    """What stands in `${...}`; `closed` is false when its closing brace is missing."""

    text: str
    closed: bool = True

    @property
    def scope(self) -> str:
        """What comes before the first dot."""
        return self.text.partition(".")[0]

    @property
    def name(self) -> str:
        """What comes after the first dot."""
        return self.text.partition(".")[2]

    def __str__(self) -> str:
        return f"${{{self.text}" + ("}" if self.closed else "")


@dataclass(frozen=True)
class StepReference:
    """A field of what an earlier step returned; `step` is the value of that step's `register`."""

    step: str
    field: str


def split_text(text: str) -> list[str | Reference]:
    """Literal text and references by turns, without empty texts.

    >>> split_text("a$${b}${variables.c}")
    ['a${b}', Reference(text='variables.c', closed=True)]
    """
    parts: list[str | Reference] = []
    literal, position = "", 0
    while match := _DOLLARS.search(text, position):
        dollars = len(match[1])
        literal += text[position : match.start()] + "$" * (dollars // 2)
        position = match.end()
        if dollars % 2 == 0:
            literal += "{"
            continue
        end = text.find("}", position)
        closed = end >= 0
        parts += [*_texts(literal), Reference(text[position:end] if closed else text[position:], closed)]
        literal, position = "", end + 1 if closed else len(text)
    return [*parts, *_texts(literal + text[position:])]


def kept_references(text: str) -> Iterator[Reference]:
    """What a text of a loaded suite still refers to: earlier steps, in the right form or a wrong one.

    >>> list(kept_references("${steps.who} ${HOME} $${steps.x}"))
    [Reference(text='steps.who', closed=True)]
    """
    for match in _STEP_DOLLARS.finditer(text):
        start = match.end() + 1
        end = text.find("}", start)
        if len(match[1]) % 2:
            yield Reference(text[start:end] if end >= 0 else text[start:], end >= 0)


def split_references(text: str) -> list[str | StepReference]:
    """Literal text and references to earlier steps by turns, for a text of a loaded suite.

    >>> split_references("id: ${steps.who.stdout}")
    ['id: ', StepReference(step='who', field='stdout')]
    >>> split_references("$${steps.who.stdout} costs $${5}")
    ['${steps.who.stdout} costs $${5}']
    """
    parts: list[str | StepReference] = []
    literal, position = "", 0
    while match := _STEP_DOLLARS.search(text, position):
        dollars = len(match[1])
        literal += text[position : match.start()] + "$" * (dollars // 2)
        position = match.end()
        end = text.find("}", position) if dollars % 2 else -1
        found = step_reference(Reference(text[position + 1 : end])) if end >= 0 else None
        if found is None:
            literal += "$" * (dollars % 2)
            continue
        parts += [*_texts(literal), found]
        literal, position = "", end + 1
    return [*parts, *_texts(literal + text[position:])]


def step_reference(reference: Reference) -> StepReference | None:
    """The reference as one to a step's field, or None when it is not of the form `steps.NAME.FIELD`."""
    name, _, field = reference.name.rpartition(".")
    if reference.scope != STEPS or not name or field not in FIELDS:
        return None
    return StepReference(name, field)


def escape(parts: Sequence[str | Reference]) -> str:
    """Text and references to steps as one text that `split_references` takes apart again."""
    text = ""
    for index, part in enumerate(parts):
        if isinstance(part, Reference):
            text += str(part)
            continue
        literal = _STEP_DOLLARS.sub(lambda match: match[1] * 2, part)
        if index + 1 < len(parts):
            # The dollars at its end would join those of the reference that follows.
            bare = literal.rstrip("$")
            literal = bare + "$" * (2 * (len(literal) - len(bare)))
        text += literal
    return text


def _texts(literal: str) -> list[str]:
    return [literal] if literal else []
