"""The folder for sockets and temporary files: private, short, and gone at the end."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from run_limits import files_end_at

from e2e_ansible.errors import InfrastructureError
from e2e_ansible.run.scratch import environment, remove_scratch, scratch_folder, scratch_path

#: What `ansible-playbook` makes of a control path is a socket: its name, 8 digits and ssh's own suffix of 17.
LONGEST_SOCKET = 107


def test_it_is_private_while_it_is_there_and_goes_with_all_in_it(tmp_path: Path) -> None:
    path = tmp_path / "e2e-run"
    with scratch_folder(path) as made:
        assert made == path
        assert path.stat().st_mode & 0o777 == 0o700
        for name, place in environment(made).items():
            assert Path(place).is_dir(), name
            assert Path(place).is_relative_to(path), name
        (path / "tmp" / "left").write_text("behind")
    assert not path.exists()


def test_it_goes_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(KeyError), scratch_folder(tmp_path / "e2e-run"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_sockets_in_it_have_names_that_are_short_enough() -> None:
    sockets = Path(environment(scratch_path("20250615-150640-abc123"))["ANSIBLE_SSH_CONTROL_PATH_DIR"])
    place = sockets.relative_to(tempfile.gettempdir())
    assert len(str(Path("/tmp") / place / "0123456789.0123456789abcdef")) < LONGEST_SOCKET


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_in_its_place_is_told_and_left_alone(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "e2e-run", tmp_path / "other"
    other.mkdir()
    (other / "kept").touch()
    if kind == "link":
        path.symlink_to(other)
    elif kind == "file":
        path.touch()
    else:
        path.mkdir()
    with pytest.raises(InfrastructureError, match="cannot be used: File exists"), scratch_folder(path):
        pass
    assert path.exists()
    assert (other / "kept").exists()


def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "e2e-run"
    with (
        files_end_at(1000),
        pytest.raises(InfrastructureError, match="cannot be used: "),
        scratch_folder(path),
    ):
        pass
    assert not path.exists()


@pytest.mark.parametrize("name", ["other", "e2e", "xe2e-run"])
def test_only_what_we_made_is_removed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    remove_scratch(tmp_path / name)
    assert (tmp_path / name).is_dir()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "kept").touch()
    (tmp_path / "e2e-run").symlink_to(other)
    remove_scratch(tmp_path / "e2e-run")
    assert (other / "kept").exists()
    remove_scratch(tmp_path / "e2e-none")
