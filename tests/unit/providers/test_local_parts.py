"""Deadlines, locks, durable files, mount points, images and findings of the local provider."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import CleanUpError, ProviderError, UsageError
from e2e_ansible.providers.local import doctor, image, mounts
from e2e_ansible.providers.local.cgroups import groups
from e2e_ansible.providers.local.deployment import resolver
from e2e_ansible.providers.registry import get_provider, provider_names
from e2e_ansible.providers.releases import Release
from e2e_ansible.providers.system import locked, run, tail, write_durably


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_deadline_asks_once_more_at_its_end() -> None:
    clock, asked = Clock(), []
    deadline = Deadline(1, clock=clock, sleep=clock.sleep)
    assert not deadline.wait_for(lambda: asked.append(clock.now), 0.4)
    assert asked == pytest.approx([0, 0.4, 0.8, 1.0])
    assert deadline.expired
    assert deadline.remaining == 0


def test_a_deadline_returns_the_first_true_value() -> None:
    clock = Clock()
    assert Deadline(9, clock=clock, sleep=clock.sleep).wait_for(lambda: int(clock.now), 0.5) == 1


def test_an_expired_deadline_still_asks_once() -> None:
    assert Deadline(0).wait_for(lambda: "yes") == "yes"


def test_a_failed_command_says_why() -> None:
    with pytest.raises(ProviderError, match=r"ended with 3: broken"):
        run(["sh", "-c", "echo broken >&2; exit 3"])
    with pytest.raises(ProviderError, match="not installed"):
        run(["no-such-program-here"])
    with pytest.raises(ProviderError, match="longer than"):
        run(["sleep", "5"], seconds=0.1)


def test_a_file_is_replaced_with_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_durably(target, "old")
    write_durably(target, "new", 0o640)
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_the_tail_of_a_file(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail(log) == ""
    log.write_text("a\n\nb\nc\n")
    assert tail(log, 2) == "b\nc"


def test_a_lock_is_exclusive(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "lock", 1),
        pytest.raises(ProviderError, match="held"),
        locked(tmp_path / "lock", 0.1),
    ):
        pass
    with locked(tmp_path, 1):
        pass


def test_blanks_in_mount_points_are_decoded() -> None:
    line = r"36 35 98:0 / /a\040b/root rw - overlay overlay rw"
    assert mounts.parse_mount_point(line) == Path("/a b/root")


def test_a_tree_with_a_mount_below_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tree" / "root").mkdir(parents=True)
    monkeypatch.setattr(mounts, "mounts_below", lambda folder: [folder / "root"])
    with pytest.raises(CleanUpError, match="mounted"):
        mounts.remove_tree(tmp_path / "tree")
    assert (tmp_path / "tree" / "root").is_dir()


def test_the_image_name_changes_with_its_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("E2E_APT_MIRROR", raising=False)
    plain = image.image_key(Release())
    assert plain.startswith("bookworm-")
    assert image.image_key(Release("trixie")) != plain
    assert image.image_key(Release("bookworm", "16")).startswith("bookworm-pg16-")
    monkeypatch.setenv("E2E_APT_MIRROR", "file:///a/mirror")
    assert image.image_key(Release()) != plain


@pytest.mark.parametrize("variable", ["E2E_APT_MIRROR", "E2E_PGDG_MIRROR"])
def test_a_mirror_with_a_password_is_refused_without_showing_it(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "https://me:s3cret@mirror.example/debian")
    with pytest.raises(UsageError, match=variable) as caught:
        image.image_key(Release("bookworm", "16"))
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("suite", ["", "../etc", "--help", "a b"])
def test_a_suite_is_a_word(suite: str) -> None:
    with pytest.raises(UsageError):
        image.image_key(Release(suite))


def test_a_failed_build_names_its_log_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "recipe", lambda release: ["--no-such-option", release.suite])
    with pytest.raises(ProviderError, match=r"log: .*\.log") as caught:
        image.ensure_image(tmp_path, Release())
    assert caught.value.hint
    assert not [entry for entry in tmp_path.iterdir() if entry.is_dir()]


def test_the_resolver_of_a_node_is_not_on_the_loopback_of_the_controller(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\n")
    assert resolver(stub, real) == "nameserver 127.0.0.53\n"
    real.write_text("nameserver 10.1.1.1\n")
    assert resolver(stub, real) == "nameserver 10.1.1.1\n"
    stub.write_text("nameserver 10.2.2.2\n")
    assert resolver(stub, real) == "nameserver 10.2.2.2\n"


def test_groups_in_both_kinds_of_hierarchies(tmp_path: Path) -> None:
    for name in ("systemd", "unified"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    assert groups("m", tmp_path) == [tmp_path / "systemd" / "e2e-m", tmp_path / "unified" / "e2e-m"]
    (tmp_path / "cgroup.procs").touch()
    assert groups("m", tmp_path) == [tmp_path / "e2e-m"]


def test_every_missing_program_has_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_SEARCH", str(tmp_path))
    monkeypatch.setattr(doctor, "_KEYRING", tmp_path / "keyring")
    missing = [finding for finding in doctor.findings(tmp_path / "home") if finding.remedy]
    assert {finding.name for finding in missing} >= {
        "systemd-nspawn",
        "mmdebstrap",
        "nft",
        "debian-archive-keyring",
    }
    assert all(finding.remedy and finding.remedy[:2] == ("apt-get", "install") for finding in missing)
    assert not any(finding.ok for finding in missing)


def test_an_unknown_provider_names_the_nearest() -> None:
    assert "local" in provider_names()
    assert get_provider("local").name == "local"
    with pytest.raises(UsageError) as caught:
        get_provider("locale")
    assert "local" in caught.value.hint
