"""A part of a large package is imported without the rest, and nobody else notices."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.cloud.lazy import load_part

_NAME = "e2e_large_package"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package whose import imports both of its modules."""
    folder = tmp_path / _NAME
    folder.mkdir()
    (folder / "__init__.py").write_text("from .one import One\nfrom .two import Two\nversion = '7'\n")
    (folder / "one.py").write_text(f"from {_NAME} import names\nclass One: name = names.ONE\n")
    (folder / "two.py").write_text("class Two: ...\n")
    (folder / "names.py").write_text("ONE = 'one'\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield _NAME
    for name in [name for name in sys.modules if name.partition(".")[0] == _NAME]:
        del sys.modules[name]


def test_only_the_part_is_imported(package: str) -> None:
    assert load_part(package, "one", "gcp").One.name == "one"
    assert f"{package}.two" not in sys.modules
    assert load_part(package, "one", "gcp") is sys.modules[f"{package}.one"]


def test_package_is_filled_for_whoever_asks(package: str) -> None:
    part = load_part(package, "one", "gcp")
    whole = importlib.import_module(package)
    assert whole.Two.__name__ == "Two"
    assert whole.One is part.One
    assert whole.version == "7"
    with pytest.raises(AttributeError):
        _ = whole.Three


def test_package_that_is_there_is_left_alone(package: str) -> None:
    whole = importlib.import_module(package)
    assert load_part(package, "one", "gcp") is sys.modules[f"{package}.one"]
    assert sys.modules[package] is whole
    assert "__getattr__" not in vars(whole)


def test_missing_package_is_told() -> None:
    with pytest.raises(UsageError) as error:
        load_part("e2e_no_such_package", "one", "gcp")
    assert error.value.hint == "pip install 'e2e-ansible[gcp]'"
    assert "e2e_no_such_package" not in sys.modules
