"""Which files belong to the content, where they are looked for, and what changes their digest."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_ansible import content
from e2e_ansible.errors import HarnessError

REPOSITORY = Path(__file__).resolve().parents[2]
KEPT = ("plugins/modules/observe.py", "roles/crash/files/crash.sh", "roles/crash/tasks/main.yml")
LEFT_OUT = (
    "plugins/modules/__pycache__/observe.cpython-311.pyc",
    "plugins/modules/observe.pyc",
    "roles/crash/.hidden",
    "roles/crash/.git/config",
    "roles/crash/README.md",
    "roles/crash/molecule/default/converge.yml",
    "roles/crash/tests/test.yml",
    "playbooks/crash.yml",
    "ansible.cfg",
)


def lay_out(root: Path) -> None:
    (root / "inventories").mkdir(parents=True)
    for name in (*KEPT, *LEFT_OUT):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}\n")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a package whose checkout around it has content."""
    lay_out(tmp_path)
    folder = tmp_path / "e2e_ansible"
    folder.mkdir()
    monkeypatch.setattr(content, "_PACKAGE", folder)
    return folder


def test_the_checkout_is_the_root() -> None:
    assert content.content_root() == REPOSITORY


def test_the_real_content_has_roles_and_plugins_that_exist() -> None:
    files = content.content_files()
    assert {path.parts[0] for path in files} == {"plugins", "roles"}
    assert Path("roles/postgresql/tasks/main.yml") in files
    assert Path("plugins/action/guard.py") in files
    assert all((REPOSITORY / path).is_file() for path in files)


def test_only_what_playbooks_need_is_content(package: Path) -> None:
    assert content.content_files() == tuple(Path(name) for name in KEPT)


def test_content_inside_the_package_wins(package: Path) -> None:
    assert content.content_root() == package.parent
    lay_out(package / "content")
    assert content.content_root() == package / "content"


def test_an_incomplete_folder_in_the_package_is_not_taken(package: Path) -> None:
    (package / "content" / "roles").mkdir(parents=True)
    assert content.content_root() == package.parent


def test_missing_content_names_both_places(package: Path) -> None:
    (package.parent / "ansible.cfg").unlink()
    with pytest.raises(HarnessError, match=f"{package}/content and {package.parent}") as caught:
        content.content_root()
    assert "wheel" in caught.value.hint


def test_the_digest_depends_on_what_is_content_and_on_nothing_else(package: Path) -> None:
    root = package.parent
    before = content.content_digest()
    for name in LEFT_OUT:
        (root / name).write_text("other\n")
    (root / KEPT[0]).touch()
    (root / KEPT[0]).chmod(0o600)
    assert content.content_digest() == before
    lay_out(package / "content")
    assert content.content_digest() == before


def test_the_digest_sees_bytes_names_and_the_executable_bit(package: Path) -> None:
    path = package.parent / KEPT[1]
    digests = [content.content_digest()]
    path.chmod(0o755)
    digests.append(content.content_digest())
    path.write_text("other\n")
    digests.append(content.content_digest())
    path.rename(path.with_name("crash2.sh"))
    digests.append(content.content_digest())
    assert len(set(digests)) == len(digests)
