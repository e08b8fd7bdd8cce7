"""The folder beside the suite: run only when allowed, each file once, broken files told with their lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e_ansible.checks import checks, registry
from e2e_ansible.checks.custom import load_folder, plugin_files
from e2e_ansible.errors import SuiteError

REGISTER = """
from e2e_ansible.checks import ValidationRegistry
ValidationRegistry.register({name!r}, "Mine", lambda context: True)
"""


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    before = set(sys.modules)
    with registry.isolated():
        yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    folder = tmp_path / "e2e_plugins"
    folder.mkdir()
    return folder


def test_no_folder_is_fine(tmp_path: Path) -> None:
    assert load_folder(tmp_path, allowed=True) == ()


def test_nothing_runs_unless_allowed(plugins: Path) -> None:
    (plugins / "evil.py").write_text("raise SystemExit('ran')")
    assert load_folder(plugins.parent, allowed=False) == ()
    assert [path.name for path in plugin_files(plugins.parent)] == ["evil.py"]


def test_files_register_checks_under_module_names_of_their_own(plugins: Path) -> None:
    (plugins / "json.py").write_text(REGISTER.format(name="one"))
    (plugins / "my-check.py").write_text(REGISTER.format(name="two"))
    (plugins / "_helper.py").write_text("raise RuntimeError")
    (plugins / "notes.txt").write_text("not Python")
    loaded = load_folder(plugins.parent, allowed=True)
    assert [name.rpartition("_")[2] for name in loaded] == ["json", "my-check"]
    assert {"one", "two"} < set(checks())
    assert sys.modules["json"].__file__ != str(plugins / "json.py")
    assert not (plugins / "__pycache__").exists()


def test_a_file_is_run_once(plugins: Path) -> None:
    (plugins / "one.py").write_text(REGISTER.format(name="one"))
    assert load_folder(plugins.parent, allowed=True) == load_folder(plugins.parent, allowed=True)


def test_a_dataclass_with_text_annotations_works(plugins: Path) -> None:
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    (plugins / "typed.py").write_text(
        text + "@dataclass\nclass Thing:\n    a: int = 1\nassert Thing().a == 1\n"
    )
    assert len(load_folder(plugins.parent, allowed=True)) == 1


def test_every_broken_file_is_told_with_its_line(plugins: Path) -> None:
    (plugins / "a.py").write_text("x = 1\ndef broken(:\n")
    (plugins / "b.py").write_text("\n\ndef deep():\n    raise ValueError('no')\ndeep()\n")
    (plugins / "c.py").write_text("import sys\nsys.exit(3)\n")
    (plugins / "d.py").write_text(REGISTER.format(name="two words"))
    (plugins / "e.py").write_bytes(b"x = '\xff'\n")
    (plugins / "f.py").write_text("exec(compile('(', 'elsewhere', 'exec'))\n")
    (plugins / "g.py").mkdir()
    with pytest.raises(SuiteError) as caught:
        load_folder(plugins.parent, allowed=True)
    told = {Path(problem.file).name: problem for problem in caught.value.problems}
    assert {name: problem.line for name, problem in told.items()} == {
        "a.py": 2,
        "b.py": 4,
        "c.py": 2,
        "d.py": 3,
        "e.py": 1,
        "f.py": 1,
        "g.py": 1,
    }
    assert "SyntaxError" in told["a.py"].message
    assert told["b.py"].message == "ValueError: no"
    assert told["c.py"].message == "SystemExit: 3"
    assert "is no name for a check" in told["d.py"].message
    assert "letters" in told["d.py"].hint
    assert not [name for name in sys.modules if name.startswith("e2e_ansible_plugin_")]
