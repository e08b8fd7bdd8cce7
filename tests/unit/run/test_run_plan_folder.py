"""A plan as a folder: all that its playbooks need, byte for byte, and the same plan again when it is read."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from run_replay import plan_of

from e2e_ansible.compile.plan import Plan
from e2e_ansible.content import content_digest, content_files, content_root
from e2e_ansible.errors import HarnessError, UsageError
from e2e_ansible.run import plan_folder
from e2e_ansible.run.plan_folder import check_content, read_plan, read_whole_plan, write_plan

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


# ---- a folder that is run exactly as it is

WHOLE = {**FILES, "registered.json": "{}\n"}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "plan"
    write_plan(whole_plan(), path)
    return path


def whole_plan() -> Plan:
    """A plan as it is compiled now."""
    update = {"files": WHOLE, "content_digest": content_digest()}
    return plan_of("survives").model_copy(update=update)


def test_a_whole_folder_is_the_plan_with_its_files(written: Path) -> None:
    plan = read_whole_plan(written)
    assert plan == whole_plan()
    check_content(plan, written)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=written, check=True)


def test_what_is_changed_missing_or_added_is_named(written: Path) -> None:
    (written / "playbooks/01-a.yml").write_text("---\n")
    (written / "odd").unlink()
    (written / "playbooks/group_vars").mkdir()
    (written / "playbooks/group_vars/all.yml").write_text("evil: true\n")
    role = next(path for path in (written / "content/roles").rglob("*.yml"))
    role.write_text(role.read_text() + "\n")
    with pytest.raises(UsageError) as caught:
        read_whole_plan(written)
    name = role.relative_to(written).as_posix()
    for line in (
        "playbooks/01-a.yml is changed",
        "odd is missing",
        "group_vars/all.yml is not of the plan",
        f"{name} is changed",
    ):
        assert line in str(caught.value)


@pytest.mark.parametrize("name", ["plan.json", "SHA256SUMS"])
def test_a_plan_that_was_changed_together_with_its_sums_has_another_hash(written: Path, name: str) -> None:
    if name == "plan.json":
        text = (written / name).read_text().replace('"survives"', '"other"', 1)
        (written / name).write_text(text)
        sums = (written / "SHA256SUMS").read_text().splitlines()
        said = subprocess.run(["sha256sum", name], cwd=written, check=True, capture_output=True, text=True)
        sums = [said.stdout.strip() if line.endswith(f"  {name}") else line for line in sums]
        (written / "SHA256SUMS").write_text("\n".join(sums) + "\n")
    else:
        text = (written / name).read_text()
        (written / name).write_text(text.replace("# plan ", "# plan 0", 1))
    with pytest.raises(UsageError, match="its hash is"):
        read_whole_plan(written)


def test_a_folder_without_sums_is_no_whole_plan(written: Path) -> None:
    (written / "SHA256SUMS").unlink()
    with pytest.raises(UsageError, match="has no SHA256SUMS"):
        read_whole_plan(written)


def test_other_roles_than_those_of_this_package_are_named(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "other"
    for file in content_files():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(content_root() / file, root / file)
    changed = next(file for file in content_files() if file.suffix == ".yml")
    (root / changed).write_text("---\n")
    monkeypatch.setattr(plan_folder, "content_root", lambda: root)
    plan = read_whole_plan(written).model_copy(update={"content_digest": "another"})
    with pytest.raises(UsageError) as caught:
        check_content(plan, written)
    assert f"{changed.as_posix()} is another one" in str(caught.value)
