"""What the doctor finds, and what its remedies run: real processes, but commands made for the test."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from e2e_ansible import doctor
from e2e_ansible.errors import InfrastructureError, UsageError
from e2e_ansible.providers.base import Finding
from e2e_ansible.providers.local import doctor as local

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = {"systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap", "nft": "nftables"}
# Notes its words, and makes a program of every package that it is to install.
APT_GET = """#!/bin/sh
echo "$*" >>"$FAKE_LOG"
echo "frontend $DEBIAN_FRONTEND"
for word; do [ -z "$installs" ] || case $word in -*) ;; *) : >"$FAKE_BIN/has-$word" ;; esac
  [ "$word" != install ] || installs=yes
done
"""
SUDO = '#!/bin/sh\necho "sudo $1" >>"$FAKE_LOG"\nshift\nexec "$@"\n'

Command = Callable[[str, str], None]


class FakeProvider:
    """Needs three programs, which are there once the fake apt-get has installed their packages."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def doctor(self) -> Sequence[Finding]:
        return [self._look(name, package) for name, package in PACKAGES.items()]

    def _look(self, name: str, package: str) -> Finding:
        ok = (self._folder / f"has-{package}").exists()
        remedy = None if ok else ("apt-get", "install", "--yes", package)
        return Finding(name=name, ok=ok, detail="there" if ok else "missing", remedy=remedy)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of commands, but for those that shell scripts need."""
    made = tmp_path / "bin"
    made.mkdir()
    for name in ("env", "sh"):
        (made / name).symlink_to(Path("/bin") / name)
    monkeypatch.setenv("PATH", str(made))
    monkeypatch.setenv("FAKE_BIN", str(made))
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.setattr(doctor, "get_provider", lambda name: FakeProvider(made))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return made


@pytest.fixture
def command(folder: Path) -> Command:
    """Makes a command of a name and a shell script."""

    def make(name: str, script: str) -> None:
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)

    make("ssh", "#!/bin/sh\n")
    make("apt-get", APT_GET)
    return make


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def missing(found: Sequence[Finding]) -> set[str]:
    return {finding.name for finding in found if not finding.ok}


def test_every_missing_thing_is_named_with_its_remedy(folder: Path) -> None:
    remedies = {finding.name: finding.remedy for finding in doctor.findings("local") if not finding.ok}
    wanted = {name: ("apt-get", "install", "--yes", package) for name, package in PACKAGES.items()}
    assert remedies == {**wanted, "ssh": ("apt-get", "install", "--yes", "openssh-client")}


def test_all_packages_come_in_one_installation_after_one_update(command: Command, log: Path) -> None:
    before = doctor.findings("local")
    assert missing(before) == set(PACKAGES)
    after = doctor.fix([*before, *before], "local")
    assert missing(after) == set()
    update, install = log.read_text().splitlines()
    assert update.endswith(" update")
    words = install.split()
    assert words[-3:] == ["mmdebstrap", "nftables", "systemd-container"]
    assert {"install", "--yes", "--no-remove", "--no-install-recommends"} <= set(words)


def test_nothing_is_run_when_nothing_is_missing(command: Command, log: Path) -> None:
    doctor.fix(doctor.findings("local"), "local")
    log.unlink()
    doctor.fix(doctor.findings("local"), "local")
    assert not log.exists()


def test_only_packages_are_installed(command: Command, log: Path) -> None:
    other = Finding(name="module", ok=False, detail="not loaded", remedy=("modprobe", "overlay"))
    fine = Finding(name="fine", ok=True, detail="there", remedy=("apt-get", "install", "fine"))
    doctor.fix([other, fine, Finding(name="root", ok=False, detail="no root")], "local")
    assert not log.exists()


def test_a_failed_remedy_is_told_with_its_last_lines(command: Command) -> None:
    script = 'case "$*" in *update) exit 0 ;; esac\nfor i in 1 2 3 4 5 6 7 8 9; do echo "line $i"; done; exit 100\n'
    command("apt-get", f"#!/bin/sh\n{script}")
    with pytest.raises(
        InfrastructureError, match=r"apt-get .*mmdebstrap .* ended with 100:\nline 2"
    ) as caught:
        doctor.fix(doctor.findings("local"), "local")
    assert str(caught.value).endswith("\nline 9")
    assert "update" not in str(caught.value)
    assert caught.value.hint == "as root: apt-get install mmdebstrap nftables systemd-container"


def test_a_failed_update_is_told_only_when_the_installation_fails(command: Command) -> None:
    command("apt-get", f'{APT_GET}case "$*" in *update) echo "no Release file"; exit 100 ;; esac\n')
    found = doctor.findings("local")
    assert missing(doctor.fix(found, "local")) == set()
    command("apt-get", "#!/bin/sh\necho no Release file\nexit 100\n")
    with pytest.raises(InfrastructureError, match=r"(?s)update ended with 100:\nno Release.*install"):
        doctor.fix(found, "local")


def test_the_lock_of_the_lists_is_waited_for(
    command: Command, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_LOCK_PAUSE_SECONDS", 0.01)
    held = '[ -e "$FAKE_BIN/tried" ] || { : >"$FAKE_BIN/tried"; echo Could not get lock; exit 100; }'
    command("apt-get", f"{APT_GET}{held}\n")
    assert missing(doctor.fix(doctor.findings("local"), "local")) == set()
    assert [line.split()[-1] for line in log.read_text().splitlines()] == [
        "update",
        "update",
        "systemd-container",
    ]


def test_without_root_it_goes_through_sudo_that_does_not_ask(
    command: Command, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    command("sudo", SUDO)
    assert missing(doctor.fix(doctor.findings("local"), "local")) == set()
    assert log.read_text().splitlines()[::2] == ["sudo -n", "sudo -n"]


def test_without_root_and_sudo_it_says_what_to_install(
    command: Command, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(InfrastructureError, match="sudo is not installed") as caught:
        doctor.fix(doctor.findings("local"), "local")
    assert "systemd-container" in caught.value.hint
    assert not log.exists()


def test_apt_that_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"ended with 127:\n.*apt-get"):
        doctor.fix(doctor.findings("local"), "local")


def test_a_version_out_of_bounds_is_not_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"ansible-core": "2.20.1", "ansible-runner": "2.4.3"}
    monkeypatch.setattr(doctor, "version", versions.__getitem__)
    found = {finding.name: finding for finding in doctor.findings("local")}
    assert found["ansible-runner"].ok
    assert not found["ansible-core"].ok
    assert found["ansible-core"].detail == (
        "2.20.1 is installed, >=2.19.4,<2.20 needed; pip install 'ansible-core>=2.19.4,<2.20'"
    )


@pytest.mark.parametrize(("running", "ok"), [((3, 10, 9), False), ((3, 13, 1), True), ((3, 14, 0), False)])
def test_python_has_bounds(running: tuple[int, ...], ok: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "version_info", (*running, "final", 0))
    assert next(finding for finding in doctor.findings("local") if finding.name == "Python").ok is ok


def test_an_environment_without_ansible_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_DISTRIBUTIONS", {"no-such-distribution": ">=1"})
    monkeypatch.setattr(doctor.sys, "executable", str(tmp_path / "python"))
    found = {finding.name: finding for finding in doctor.findings("local")}
    assert found["no-such-distribution"].detail == "not installed; pip install 'no-such-distribution>=1'"
    assert not found["ansible-playbook"].ok


def test_the_bounds_are_those_of_the_project() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = {
        requirement.name: requirement.specifier for requirement in map(Requirement, project["dependencies"])
    }
    for name, bounds in doctor._DISTRIBUTIONS.items():
        assert wanted[name] == doctor.SpecifierSet(bounds)
    assert doctor.SpecifierSet(project["requires-python"]) == doctor.SpecifierSet(doctor._PYTHON)


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(UsageError):
        doctor.findings("locale")


def kernel(folder: Path, filesystems: str, modules: str) -> tuple[Path, Path]:
    listed = folder / "modules" / os.uname().release / "modules.dep"
    listed.parent.mkdir(parents=True)
    listed.write_text(modules)
    (folder / "filesystems").write_text(filesystems)
    return folder / "filesystems", folder / "modules"


@pytest.mark.parametrize(
    ("filesystems", "modules", "ok"),
    [
        ("nodev\toverlay\n", "", True),
        ("\text4\n", "kernel/fs/overlayfs/overlay.ko.xz:\n", True),
        ("\text4\n", "kernel/fs/ext4/ext4.ko:\n", False),
    ],
)
def test_an_overlay_that_the_kernel_would_load_is_there(
    tmp_path: Path, filesystems: str, modules: str, ok: bool
) -> None:
    finding = local._overlay(*kernel(tmp_path, filesystems, modules))
    assert (finding.ok, finding.remedy) == (ok, None)


def test_the_local_provider_names_all_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_SEARCH", str(tmp_path))
    monkeypatch.setattr(local, "_KEYRING", tmp_path / "keyring")
    assert doctor._packages(local.findings(tmp_path)) == [
        "debian-archive-keyring",
        "gpg",
        "iproute2",
        "mmdebstrap",
        "mount",
        "nftables",
        "openssh-client",
        "systemd-container",
        "util-linux",
    ]
