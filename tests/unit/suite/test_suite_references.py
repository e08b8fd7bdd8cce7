"""References in texts: what they are, how they are escaped, and what is left for run time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_ansible.suite.reference import Reference, StepReference, escape, split_references, split_text

WHO = StepReference("who", "stdout")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("plain $5 {x}", ["plain $5 {x}"]),
        ("${a.b}", [Reference("a.b")]),
        ("x${a.b}y", ["x", Reference("a.b"), "y"]),
        ("$${a.b}", ["${a.b}"]),
        ("$$${a.b}", ["$", Reference("a.b")]),
        ("$$$${a.b}", ["$${a.b}"]),
        ("${a", [Reference("a", closed=False)]),
    ],
)
def test_text_is_split_at_references(text: str, parts: list[object]) -> None:
    assert split_text(text) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("${steps.who.stdout}", [WHO]),
        ("<${steps.who.stdout}>", ["<", WHO, ">"]),
        ("${steps.a.b.rc}", [StepReference("a.b", "rc")]),
        ("$${steps.who.stdout}", ["${steps.who.stdout}"]),
        ("$$${steps.who.stdout}", ["$", WHO]),
        ("$${steps $${steps} $$$${steps}", ["${steps ${steps} $${steps}"]),
        ("${HOME} $${x}", ["${HOME} $${x}"]),
        ("${steps.who.size}", ["${steps.who.size}"]),
        ("${steps.who.stdout", ["${steps.who.stdout"]),
    ],
)
def test_references_to_steps_are_found_in_loaded_texts(text: str, parts: list[object]) -> None:
    assert split_references(text) == parts


TEXTS = st.text(alphabet="${}steps.a ", max_size=12)


@given(st.lists(st.one_of(TEXTS, st.just("${steps.who.stdout}"), st.just(WHO)), max_size=6))
def test_escaped_text_is_taken_apart_into_the_same(raw: list[str | StepReference]) -> None:
    parts: list[str | Reference] = []
    for part in raw:
        if isinstance(part, StepReference):
            parts.append(Reference("steps.who.stdout"))
        elif parts and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)
    meant = [WHO if isinstance(part, Reference) else part for part in parts if part != ""]
    assert split_references(escape(parts)) == meant


def test_an_unfinished_reference_shows_as_written() -> None:
    assert str(Reference("a.b")) == "${a.b}"
    assert str(Reference("a", closed=False)) == "${a"
