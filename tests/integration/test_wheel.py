"""The wheel: built, looked into, installed elsewhere, and asked where its content is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from e2e_ansible import content

REPOSITORY = Path(__file__).resolve().parents[2]
ASK = """
import json
from e2e_ansible import content
files = [path.as_posix() for path in content.content_files()]
print(json.dumps([str(content.content_root()), files, content.content_digest()]))
"""


def pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(REPOSITORY))
    (made,) = folder.glob("e2e_ansible-*.whl")
    return made


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_content_file_is_in_the_wheel(names: set[str]) -> None:
    wanted = {f"e2e_ansible/content/{path.as_posix()}" for path in content.content_files()}
    wanted.add("e2e_ansible/content/ansible.cfg")
    for folder in ("playbooks", "inventories"):
        wanted |= {f"e2e_ansible/content/{path.relative_to(REPOSITORY)}" for path in visible(folder)}
    assert wanted - names == set()


def test_every_file_of_the_package_is_in_the_wheel(names: set[str]) -> None:
    assert {str(path.relative_to(REPOSITORY)) for path in visible("e2e_ansible")} - names == set()


def test_the_wheel_carries_its_licence_and_nothing_compiled(names: set[str]) -> None:
    assert any(name.endswith("/LICENSE") for name in names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    assert not [name for name in names if name.startswith("tests/")]


def test_an_installed_wheel_has_the_content_of_the_checkout(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    pip("install", "--no-deps", "--no-index", "--target", str(target), str(wheel))
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    root, files, digest = json.loads(done.stdout)
    assert root == str(target / "e2e_ansible" / "content")
    assert files == [path.as_posix() for path in content.content_files()]
    assert digest == content.content_digest()


def visible(folder: str) -> set[Path]:
    found = (path for path in (REPOSITORY / folder).rglob("*") if path.is_file())
    return {path for path in found if "__pycache__" not in path.parts and not path.name.startswith(".")}
