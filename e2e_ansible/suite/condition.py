"""`when`: a small closed language, decided while a test runs, on data only. Nothing in it is ever evaluated.

    A == B        A != B        A in [B, C]        A not in [B, C]        passed NAME        failed NAME

`A`, `B` and `C` are words, or texts in single or double quotes; they may hold `${...}`. All comparing is of text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from e2e_ansible.names import nearest

__all__ = ["Condition", "ConditionError", "parse_condition"]

Operator = Literal["==", "!=", "in", "not in", "passed", "failed"]
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<double>"(?:[^"\\]|\\.)*") | '(?P<single>[^']*)' | (?P<mark>==|!=|[\[\],])
        | (?P<word>(?:\$+\{[^}]*\}|(?!==|!=)[^\s"'\[\],])+) | (?P<wrong>\S)
    )""",
    re.VERBOSE,
)
_FORMS = "A == B, A != B, A in [B, C], A not in [B, C], passed NAME or failed NAME"
_OPERATORS = ("==", "!=", "in", "not in")
_MEANT = {"=": "==", "===": "==", "<>": "!=", "is": "==", "eq": "==", "ne": "!=", "equals": "=="}


class ConditionError(ValueError):
    """The text is no condition; the message says which word is wrong and what is meant."""


class Condition(BaseModel):
    """One condition. `left` is a text, or the name of a step or group for `passed` and `failed`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    op: Operator
    left: str
    right: tuple[str, ...] = ()

    def fill(self, put_in: Callable[[str], str]) -> Condition:
        """The condition with each of its texts changed."""
        return self.model_copy(
            update={"left": put_in(self.left), "right": tuple(put_in(text) for text in self.right)}
        )

    def __str__(self) -> str:
        """In its own language, every text quoted; `parse_condition` reads it back."""
        if self.op in ("passed", "failed"):
            return f"{self.op} {_quoted(self.left)}"
        right = ", ".join(map(_quoted, self.right))
        return f"{_quoted(self.left)} {self.op} {f'[{right}]' if self.op.endswith('in') else right}"


class _Token(NamedTuple):
    text: str
    mark: bool = False
    quoted: bool = False


def parse_condition(text: str) -> Condition:
    """Read a condition.

    >>> parse_condition("${steps.who.stdout} == n12").left
    '${steps.who.stdout}'

    Raises:
        ConditionError: it is none.
    """
    tokens = _tokens(text)
    if not tokens:
        raise ConditionError(f"there is no condition; write {_FORMS}")
    first = tokens[0]
    if not first.quoted and first.text in ("passed", "failed") and len(tokens) != 3:
        return _outcome(first.text, tokens[1:])
    if first.mark:
        raise ConditionError(f"a condition cannot begin with {first.text!r}; write {_FORMS}")
    return _comparison(first.text, tokens[1:])


def _outcome(op: str, rest: Sequence[_Token]) -> Condition:
    if len(rest) != 1 or rest[0].mark:
        raise ConditionError(f"{op!r} needs the name of one step or group")
    return Condition.model_validate({"op": op, "left": rest[0].text})


def _comparison(left: str, rest: Sequence[_Token]) -> Condition:
    op, rest = _operator(left, rest)
    if op.endswith("in"):
        return Condition.model_validate({"op": op, "left": left, "right": _items(op, rest)})
    if not rest or rest[0].mark:
        raise ConditionError(f"there is nothing to compare with after {op!r}")
    if len(rest) > 1:
        words = f"{rest[1].text!r} is too much after {rest[0].text!r}"
        raise ConditionError(f"{words}; put a text with blanks in quotes; there is no 'and' or 'or'")
    return Condition.model_validate({"op": op, "left": left, "right": (rest[0].text,)})


def _operator(left: str, rest: Sequence[_Token]) -> tuple[str, Sequence[_Token]]:
    """The operator and what follows it."""
    if not rest:
        near = nearest(left, ("passed", "failed"))
        hint = f"did you mean '{near} NAME'?" if near else f"write {_FORMS}"
        raise ConditionError(f"{left!r} alone is no condition; {hint}")
    word = rest[0].text
    if word == "not" and len(rest) > 1 and rest[1].text == "in":
        return "not in", rest[2:]
    if word in ("==", "!=", "in") and not rest[0].quoted:
        return word, rest[1:]
    near = _MEANT.get(word) or nearest(word, _OPERATORS) or ""
    outcome = nearest(left, ("passed", "failed")) if len(rest) == 1 else None
    if outcome:
        raise ConditionError(f"unknown word {left!r}; did you mean {outcome!r}?")
    hint = f"did you mean {near!r}?" if near else f"write {', '.join(_OPERATORS[:-1])} or {_OPERATORS[-1]}"
    raise ConditionError(f"unknown operator {word!r}; {hint}")


def _items(op: str, rest: Sequence[_Token]) -> tuple[str, ...]:
    marks = [token.text if token.mark else "" for token in rest]
    inner = marks[1:-1]
    right = len(rest) > 2 and marks[0] == "[" and marks[-1] == "]" and len(inner) % 2
    if not right or any(inner[0::2]) or any(mark != "," for mark in inner[1::2]):
        raise ConditionError(f"{op!r} needs a list after it; write {op} [B, C]")
    return tuple(token.text for token in rest[1:-1:2])


def _tokens(text: str) -> list[_Token]:
    found = []
    for match in _TOKEN.finditer(text.strip()):
        kind, part = match.lastgroup, match[match.lastgroup or 0]
        if kind == "wrong":
            raise ConditionError(f"the quote {part} has no end")
        quoted = kind in ("double", "single")
        found.append(_Token(_unquoted(part) if kind == "double" else part, kind == "mark", quoted))
    return found


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text, strict=False))
    except ValueError as error:
        raise ConditionError(f"{text} cannot be read: a backslash needs a second one") from error


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
