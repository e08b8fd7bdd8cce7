"""A plan as a folder: all that its playbooks need, byte for byte, and the same plan again when it is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_replay import plan_of

from e2e_ansible.content import content_files, content_root
from e2e_ansible.errors import HarnessError
from e2e_ansible.run.plan_folder import read_plan, write_plan

FILES = {"ansible.cfg": "[defaults]\n", "playbooks/01-a.yml": "---\r\n# é \u2028\n", "odd": "a\udce9"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "new" / "plan"
    write_plan(plan_of("survives").model_copy(update={"files": FILES}), path)
    return path


def test_a_plan_is_read_back_without_the_text_of_its_files(folder: Path) -> None:
    assert read_plan(folder) == plan_of("survives")


def test_files_have_their_bytes(folder: Path) -> None:
    for name, text in FILES.items():
        assert (folder / name).read_bytes() == text.encode("utf-8", errors="surrogatepass")


def test_roles_and_plugins_are_copied_with_their_modes(folder: Path) -> None:
    content = folder / "content"
    found = {path.relative_to(content) for path in content.rglob("*") if path.is_file()}
    assert found == {*content_files()}
    for file in content_files():
        source, copy = content_root() / file, content / file
        assert copy.read_bytes() == source.read_bytes()
        assert copy.stat().st_mode == source.stat().st_mode


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", '{"name": "a"}'], ids=["none", "empty", "torn", "odd", "less"]
)
def test_a_plan_that_cannot_be_read_is_told(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "plan.json").write_text(text)
    with pytest.raises(HarnessError, match=r"plan\.json cannot be read: "):
        read_plan(tmp_path)


def test_a_plan_of_another_version_is_told_and_not_half_understood(tmp_path: Path, folder: Path) -> None:
    text = (folder / "plan.json").read_text()
    (tmp_path / "plan.json").write_text(text.replace('"observes"', '"sees"', 1))
    with pytest.raises(HarnessError, match="sees"):
        read_plan(tmp_path)
