"""Texts that break things, and ways to read generated YAML: what PyYAML sees, with user text marked."""

from __future__ import annotations

import re
from typing import Any

import yaml
from ansible.module_utils._internal._datatag import AnsibleTagHelper
from ansible.parsing.dataloader import DataLoader
from ansible.template import is_trusted_as_template, trust_as_template
from hypothesis import strategies as st

from e2e_ansible.steps.base import Unsafe

_WORDS = r"""
{{ }} {% %} {# #} { } {{{ {{- -}} {%- '%}' "{{" | raw endraw #jinja2: # ' " \ \\ \n ! !unsafe & * - ? : ,
[ ] @ ` % %YAML --- ... ~ null true no on 1e3 0x1F 1_000 12:30 .inf 2024-01-01 << = name: a:b a,b -x --y /z
$ $$ ${ $${ ${steps. ${steps ${steps.who.stdout}
"""
FRAGMENTS = _WORDS.split()
TEMPLATE = re.compile(r"\{[{%#]")
NUMBERS = ["16", "-1", "0x1F", "1e3", "1.5e+3", "12:30:45", ".inf", "2024-01-01"]
VALUES = [*NUMBERS, "true", "Yes", "null", "~", "=", "<<", "true\n"]
SPACES = ["", " ", "  ", "\t", "\n", "\n\n", "\n\n\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x7f", "\x85"]
ODD = [*SPACES, "\xa0", "\u2028", "\u2029", "\u200b", "\u202e", "\ufeff", "\ufffe", "\U0001f418", "\ue000"]
LINES = ["one two", "  indented", "- name: Run", "# comment", "x" * 99, "long " * 40, ""]


def texts() -> st.SearchStrategy[str]:
    """Whatever a loaded suite can hold: all but NUL and halves of surrogate pairs."""
    plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
    joined = st.lists(st.sampled_from([*FRAGMENTS, *ODD]) | plain, max_size=8).map("".join)
    lines = st.lists(st.sampled_from(LINES), max_size=5).map("\n".join)
    long = st.tuples(joined, st.integers(1, 40)).map(lambda pair: pair[0] * pair[1])
    return joined | lines | long | st.sampled_from(VALUES)


class PurePython(yaml.SafeLoader):
    """Follows the specification closely."""


class LibYaml(yaml.CSafeLoader):
    """Reads what others read."""


def _unsafe(loader: Any, node: yaml.ScalarNode) -> Unsafe:
    return Unsafe(loader.construct_scalar(node))


for _loader in (PurePython, LibYaml):
    _loader.add_constructor("!unsafe", _unsafe)


def read(text: str) -> Any:
    """The document, read the same by all; what Ansible takes for no template is `Unsafe`."""
    found = _marked(DataLoader().load(trust_as_template(text)))
    for loader in (PurePython, LibYaml):
        other = yaml.load(text, loader)
        assert other == found
        assert repr(other) == repr(found)
    return found


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _marked(item) for key, item in value.items()}
    if isinstance(value, list):
        return list(map(_marked, value))
    if isinstance(value, str):
        return str(value) if is_trusted_as_template(value) else Unsafe(value)
    return AnsibleTagHelper.as_native_type(value)


def is_inert(value: Any) -> bool:
    """Text that Ansible leaves alone: marked, or without anything that begins a template."""
    return type(value) is Unsafe or not (value.startswith("#jinja2:") or TEMPLATE.search(value))
