"""The parts of the probe make one program, in which no part changes what another means by a name."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

from e2e_ansible.nodes import probe
from e2e_ansible.nodes.program import PARTS, program

SHARED = {"__all__", "TYPE_CHECKING", "main"}


def defined(tree: ast.Module) -> set[str]:
    """Names that a module gives a meaning of its own at its top."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names - SHARED


def trees() -> list[ast.Module]:
    return [ast.parse(Path(str(part.__file__)).read_text()) for part in PARTS]


def test_no_two_parts_define_the_same_name() -> None:
    counted = Counter(name for tree in trees() for name in defined(tree))
    assert [name for name, times in counted.items() if times > 1] == []


def test_all_that_a_part_imports_is_in_the_program() -> None:
    """A module that is imported and is no part would be missing on the node."""
    files = {str(part.__name__) for part in PARTS}
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("e2e_ansible"):
                assert node.module in files
            elif isinstance(node, ast.Import):
                assert {alias.name.partition(".")[0] for alias in node.names} <= sys.stdlib_module_names


def test_every_module_of_the_probe_is_a_part() -> None:
    found = {path.name for path in Path(probe.__file__).parent.glob("probe*.py")}
    assert found == {Path(str(part.__file__)).name for part in PARTS}


def test_the_program_asks_for_nothing_of_this_package() -> None:
    tree = ast.parse(program())
    assert "e2e_ansible" not in {
        (node.module or "").partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
    }
    assert {"main", "identity", "physical", "postgres"} <= {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    }
