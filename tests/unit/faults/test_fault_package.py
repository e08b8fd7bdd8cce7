"""Faults of other packages, by the entry point group; the one of docs/extending.md works as it is written there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from e2e_ansible.errors import HarnessError
from e2e_ansible.faults import registry
from e2e_ansible.faults.base import NodeFacts, ShellFault
from e2e_ansible.faults.process import Kill
from e2e_ansible.suite.load import parse_suite

DOCS = Path(__file__).resolve().parents[3] / "docs/extending.md"
NAME = "fault_of_the_docs"
SUITE = """
provider: libvirt
workflow:
  - {step: fault, fault: read_only, target: n11}
  - {step: heal, fault: read_only}
"""


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EntryPoint]]:
    """What other packages name; the module of the docs is one of them."""
    (text,) = re.findall(r'```python\n("""The fault `read_only`.*?)```', DOCS.read_text(), re.S)
    module = ModuleType(NAME)
    exec(compile(text, NAME, "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, NAME, module)
    points: list[EntryPoint] = []
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    registry._from_entry_points.cache_clear()
    yield points
    registry._from_entry_points.cache_clear()


def point(value: str) -> EntryPoint:
    return EntryPoint("whatever", value, registry.ENTRY_POINT_GROUP)


def test_the_fault_of_the_docs_can_be_used(installed: list[EntryPoint]) -> None:
    installed.append(point(f"{NAME}:ReadOnly"))
    fault = registry.fault_named("read_only")
    assert isinstance(fault, ShellFault)
    options = registry.options_of(fault, {})
    assert fault.refusal(options, NodeFacts("n11", "key", container=True))
    assert fault.programs(options, NodeFacts("n11", "key")).inject.arguments == ("/var/lib/postgresql",)
    assert len(parse_suite(SUITE.encode(), "s.yaml").tests[0].steps) == 2


class Again(Kill):
    """A second fault of this name."""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (f"{__name__}:Again", "brings a second fault 'kill'"),
        (f"{__name__}:Missing", "cannot be loaded: AttributeError"),
        (f"{__name__}:SUITE", "is not a Fault"),
    ],
)
def test_a_broken_package_is_named(value: str, said: str, installed: list[EntryPoint]) -> None:
    installed.append(point(value))
    with pytest.raises(HarnessError, match=said):
        registry.faults()
