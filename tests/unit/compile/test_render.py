"""Rendered YAML is what was meant, to the letter, whatever the text; and it reads well."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from hostile import is_inert, read, texts
from hypothesis import example, given, settings
from hypothesis import strategies as st

from e2e_ansible.compile.render import comment, playbook_text, to_yaml, used_registers
from e2e_ansible.steps.base import Unsafe
from e2e_ansible.suite.reference import Reference, escape

SETTINGS = settings(deadline=None, max_examples=200)
PRINTED = "{{ 7*7 }} it's\r\n"
OUTPUT = {"stdout": PRINTED, "stderr": "{% raw %}", "rc": 3}
REGISTERED = {"who": OUTPUT, "a.b-c": {**OUTPUT, "stdout": '{"a": [1, "{{ 7*7 }}"]}'}}
REFERENCES: dict[str, str] = {
    "steps.who.stdout": PRINTED,
    "steps.who.stderr": "{% raw %}",
    "steps.who.rc": "3",
    "steps.a.b-c.json": '{"a": [1, "{{ 7*7 }}"]}',
}
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts() | texts().map(Unsafe)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(), inner, max_size=4),
    max_leaves=12,
)


def literal(text: str) -> Unsafe:
    """The text as a loaded suite holds it."""
    return Unsafe(escape([text]))


def as_suite_text(value: Any) -> Any:
    if isinstance(value, Unsafe):
        return literal(value)
    if isinstance(value, dict):
        return {key: as_suite_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_suite_text(item) for item in value]
    return value


@SETTINGS
@given(st.dictionaries(texts(), VALUES, min_size=1, max_size=4))
@example({"a": 1e16, "b": 1e-7, "c": float("inf"), "d": float("-inf"), "e": 0.1, "f": -1.5e300})
@example({"k" * 2000: {"k" * 1030: ["x"]}})
@example({"a": [[], {}, [[]], [{}], ["b", ["c"]], [{"d": [1]}]], "e": {}})
def test_any_value_is_read_back(value: dict[str, Any]) -> None:
    found = read(to_yaml(as_suite_text(value)))
    assert found == value
    assert repr(found) == repr(value)


@SETTINGS
@given(texts())
def test_user_text_is_marked_and_unchanged(text: str) -> None:
    (found,) = read(playbook_text([], "", [{"hosts": "all", "vars": {"a": [literal(text)]}}]))
    (made,) = found["vars"]["a"]
    assert is_inert(made)
    assert made == text


@SETTINGS
@given(st.lists(texts() | st.sampled_from(sorted(REFERENCES)).map(Reference), max_size=5))
@example(["#jinja2: trim_blocks: True\n", Reference("steps.who.stdout")])
@example(["{", Reference("steps.who.stdout"), "}"])
@example(["{\r{%", Reference("steps.who.rc"), "\\"])
@example([Reference("steps.who.stdout"), "\n\n"])
def test_a_reference_becomes_what_was_printed_and_nothing_else_is_a_template(
    parts: list[str | Reference],
) -> None:
    found = read(to_yaml({"a": Unsafe(escape(merged(parts)))}))["a"]
    expected = "".join(REFERENCES[part.text] if isinstance(part, Reference) else part for part in parts)
    if any(isinstance(part, Reference) for part in parts):
        assert type(found) is str
        templar = Templar(loader=DataLoader(), variables={"e2e_registered": REGISTERED})
        found = templar.template(trust_as_template(found))
    assert str(found) == expected


def merged(parts: list[str | Reference]) -> list[str | Reference]:
    """Neighbouring texts as one, as a suite has them."""
    made: list[str | Reference] = []
    for part in parts:
        if isinstance(part, str) and made and isinstance(made[-1], str):
            made[-1] += part
        else:
            made.append(part)
    return made


@SETTINGS
@given(texts())
def test_a_comment_stays_a_comment(text: str) -> None:
    for line in comment(text).split("\n"):
        assert line.startswith("#")
        assert line.isprintable()
        assert len(line) <= 102
    assert read(playbook_text([text], "run it", [{"hosts": "all"}])) == [{"hosts": "all"}]


LOOKS = [
    ("plain words", "a: plain words"),
    (["n11", "n12"], "a: [n11, n12]"),
    (["/bin/sh", "-c", "../x"], "a: [/bin/sh, -c, ../x]"),
    (["two words", "x: y"], 'a:\n  - two words\n  - "x: y"'),
    (["x" * 60, "y" * 60], f"a:\n  - {'x' * 60}\n  - {'y' * 60}"),
    (["on"], 'a:\n  - "on"'),
    (Unsafe("hostname"), "a: !unsafe hostname"),
    (Unsafe("{{ x }}"), 'a: !unsafe "{{ x }}"'),
    (Unsafe("one\ntwo"), "a: !unsafe |-\n  one\n  two"),
    (Unsafe("one\n\n  two\n"), "a: !unsafe |\n  one\n\n    two\n"),
    (Unsafe("one\n"), 'a: !unsafe "one\\n"'),
    (Unsafe("one\ntwo \n"), 'a: !unsafe "one\\ntwo \\n"'),
    (Unsafe("one\ntwo\n\n"), 'a: !unsafe "one\\ntwo\\n\\n"'),
    (Unsafe("\x7f \u2028 \ufeff é"), 'a: !unsafe "\\u007f \\u2028 \\ufeff é"'),
    (Unsafe("by ${steps.who.stdout}"), "a: \"by {{ e2e_registered['who']['stdout'] }}\""),
    (Unsafe("{a} { ${steps.who.rc}"), "a: \"{a} { {{ e2e_registered['who']['rc'] | string }}\""),
    (Unsafe("16"), 'a: "16"'),
    (Unsafe("true"), 'a: "true"'),
    (Unsafe(""), 'a: ""'),
    ({}, "a: {}"),
    ([], "a: []"),
    (1e16, "a: 1.0e+16"),
    (float("-inf"), "a: -.inf"),
    ([["b"], [[], {}]], "a:\n  -\n    - b\n  -\n    - []\n    - {}"),
]


@pytest.mark.parametrize(("value", "text"), LOOKS)
def test_how_a_value_looks(value: object, text: str) -> None:
    assert to_yaml({"a": value}).rstrip("\n") == text.rstrip("\n")


def test_long_text_is_continued_at_spaces_and_line_breaks() -> None:
    lines = to_yaml({"a": "one\n" + "word " * 40 + "\t"}).splitlines()
    assert lines[0] == 'a: "one\\n\\'
    assert all(len(line) <= 110 for line in lines)
    assert lines[1].endswith("word \\")


def test_a_long_comment_is_wrapped() -> None:
    lines = comment("word " * 50).split("\n")
    assert lines[0].startswith("# word")
    assert all(line.startswith("#   word") for line in lines[1:])


def test_plays_are_parted_by_an_empty_line() -> None:
    text = playbook_text(["Title"], "run it", [{"name": "A"}, {"name": "B"}])
    assert text == "# Title\n# By hand, in the plan folder:\n#   run it\n---\n- name: A\n\n- name: B\n"


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot contain"):
        to_yaml({"a": object()})


def test_registers_are_found_in_user_text_only() -> None:
    play = {"a": [Unsafe("${steps.b.rc} ${steps.a.rc}"), {"b": Unsafe("${steps.c.stdout}")}], "x": 1}
    assert used_registers(play) == {"a", "b", "c"}
    assert used_registers({"a": "${steps.b.rc}", "b": Unsafe("$${steps.b.rc}")}) == frozenset()
