"""The parts of the provider `libvirt` that need no daemon."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from e2e_ansible.errors import UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.cloud.machine import Order, Place
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.libvirt import doctor, virsh
from e2e_ansible.providers.libvirt.acceleration import Answer, accelerator, known_answer
from e2e_ansible.providers.libvirt.base import ensure_base
from e2e_ansible.providers.libvirt.cloud import LibvirtCloud
from e2e_ansible.providers.libvirt.domain import Boot, Disk, Domain, domain_xml, power_of, read_tagged
from e2e_ansible.providers.libvirt.image import image_key, image_recipe
from e2e_ansible.providers.libvirt.seed import make_seed
from e2e_ansible.providers.libvirt.storage import Pool, Volume
from e2e_ansible.providers.libvirt.virsh import Virsh, default_uri
from e2e_ansible.providers.releases import Release

HOSTILE = "<{{ 1 }}> & \"'"


def _domain(**more: object) -> Domain:
    plain: dict[str, object] = {
        "name": "d-n11",
        "accelerator": "qemu",
        "memory_mb": 3072,
        "vcpus": 2,
        "disks": [Disk("/p/root", "e2e-root"), Disk("/p/seed", "e2e-seed", kind="raw", readonly=True)],
        "mac": "52:54:00:00:00:01",
        "tags": {"e2e-deployment": "d", "e2e-node": HOSTILE},
        "created": 1_795_000_000.0,
        "network": "default",
    }
    return Domain(**{**plain, **more})  # type: ignore[arg-type]


def test_metadata_come_back_as_they_were_whatever_they_hold() -> None:
    tagged = read_tagged(domain_xml(_domain(ssh_port=20_022)))
    assert tagged is not None
    assert tagged.tags == {"e2e-deployment": "d", "e2e-node": HOSTILE}
    assert (tagged.created, tagged.ssh_port) == (1_795_000_000.0, 20_022)


def test_a_domain_of_somebody_else_has_none_of_our_metadata() -> None:
    assert read_tagged("<domain><name>a</name></domain>") is None
    assert read_tagged("<domain><metadata><x xmlns='urn:other'/></metadata></domain>") is None


def test_disks_keep_what_was_flushed_and_may_lose_the_rest() -> None:
    """Neither `unsafe`, which ignores a flush, nor `writethrough`, which would hide a missing one."""
    root = ElementTree.fromstring(domain_xml(_domain()))
    drivers = root.findall("devices/disk/driver")
    assert [driver.get("cache") for driver in drivers] == ["writeback", "writeback"]
    assert [disk.find("readonly") is not None for disk in root.findall("devices/disk")] == [False, True]


def test_a_kernel_is_started_only_where_there_is_one() -> None:
    given = ElementTree.fromstring(domain_xml(_domain(boot=Boot("/k", "/i", "root=/dev/vda"))))
    assert [given.findtext(f"os/{name}") for name in ("kernel", "initrd", "cmdline")] == [
        "/k",
        "/i",
        "root=/dev/vda",
    ]
    assert ElementTree.fromstring(domain_xml(_domain())).find("os/kernel") is None


def test_a_forwarded_port_takes_the_place_of_a_network() -> None:
    text = domain_xml(_domain(network="", ssh_port=20_022))
    assert "hostfwd=tcp:127.0.0.1:20022-:22" in text
    assert "<interface" not in text
    assert "hostfwd" not in domain_xml(_domain())


@pytest.mark.parametrize(
    ("state", "power"),
    [
        ("running", PowerState.ON),
        ("shut off", PowerState.OFF),
        ("crashed", PowerState.OFF),
        ("paused", PowerState.UNKNOWN),
        ("in shutdown", PowerState.UNKNOWN),
    ],
)
def test_states(state: str, power: PowerState) -> None:
    assert power_of(state) is power


def test_the_name_of_a_volume_tells_whose_it_is() -> None:
    volume = Volume("a-run-1", "n11", "root.qcow2")
    assert Volume.parse(volume.name) == volume
    assert Volume.parse("libvirt-bookworm-1.qcow2") is None
    assert Volume.parse("e2e.short.n11") is None


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        ("error: failed to get domain 'x'", Trouble.MISSING),
        ("error: Storage volume not found: no storage vol with matching name 'x'", Trouble.MISSING),
        ("error: Requested operation is not valid: domain is already running", Trouble.CONFLICT),
        ("error: Requested operation is not valid: domain is not running", Trouble.CONFLICT),
        ("error: End of file while reading data: Input/output error", Trouble.TRANSIENT),
        ("error: Timed out during operation: cannot acquire state change lock", Trouble.TRANSIENT),
        ("error: cannot set up guest memory 'pc.ram': Cannot allocate memory", Trouble.CAPACITY),
        ("error: cannot write: No space left on device", Trouble.CAPACITY),
        ("error: authentication unavailable: no polkit agent available", Trouble.FORBIDDEN),
        ("error: something new", Trouble.OTHER),
    ],
)
def test_kinds_of_trouble(said: str, trouble: Trouble) -> None:
    error = virsh._error("qemu:///system", ["start"], said)
    assert error.trouble is trouble
    assert said.removeprefix("error: ") in str(error)


def test_who_may_not_use_the_daemon_is_told_the_group() -> None:
    said = "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/x': Permission denied"
    error = virsh._error("qemu:///system", ["list"], said)
    assert error.trouble is Trouble.FORBIDDEN
    assert "adduser $USER libvirt" in error.hint
    assert "qemu:///session" in error.hint


def test_which_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("E2E_LIBVIRT_URI", raising=False)
    monkeypatch.delenv("LIBVIRT_DEFAULT_URI", raising=False)
    assert default_uri() == "qemu:///system"
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "qemu:///session")
    assert Virsh(default_uri()).is_session
    monkeypatch.setenv("E2E_LIBVIRT_URI", "qemu:///session?socket=/system")
    assert Virsh(default_uri()).is_session


def test_without_virsh_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virsh, "PROGRAMS", "/nowhere")
    with pytest.raises(CloudError, match="virsh is not installed") as refused:
        Virsh("qemu:///system").run("list")
    assert "libvirt-daemon-system" in refused.value.hint


def test_findings_name_the_package_of_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "PROGRAMS", "/nowhere")
    monkeypatch.setattr(virsh, "PROGRAMS", "/nowhere")
    found = {each.name: each for each in doctor.findings(Virsh("qemu:///system"), tmp_path)}
    assert not any(found[name].ok for name in ("virsh", "qemu-img", "genisoimage", "mmdebstrap", "libvirt"))
    assert found["qemu-img"].remedy == (
        "apt-get",
        "install",
        "--yes",
        "--no-install-recommends",
        "qemu-utils",
    )
    assert "libvirt-daemon-system" in (found["libvirt"].remedy or ())
    assert found["KVM"].ok  # never a fault


def test_acceleration_that_is_forced_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = Virsh("qemu:///system?socket=/nowhere")
    pool = Pool(dead, tmp_path)
    for value, kind in (("tcg", "qemu"), ("KVM", "kvm")):
        monkeypatch.setenv("E2E_LIBVIRT_ACCEL", value)
        assert accelerator(dead, pool, tmp_path) == kind
    monkeypatch.setenv("E2E_LIBVIRT_ACCEL", "hvf")
    with pytest.raises(UsageError, match="E2E_LIBVIRT_ACCEL is 'hvf'") as refused:
        accelerator(dead, pool, tmp_path)
    assert "kvm or tcg" in refused.value.hint


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"u": {}}', '{"u": {"boot": "old", "works": true, "detail": ""}}']
)
def test_an_answer_that_is_old_or_broken_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "libvirt-acceleration.json").write_text(text)
    assert known_answer(Virsh("u"), tmp_path) is None
    assert isinstance(Answer(boot="b", works=True, detail=""), Answer)


def test_an_image_over_another_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one would not be there where the daemon is."""

    class Open(Pool):
        def open(self) -> None:
            pass

    from e2e_ansible.providers.system import run

    base, over = tmp_path / "base.qcow2", tmp_path / "over.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", str(base), "1M"])
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(over)])
    with pytest.raises(UsageError, match="lies over another one"):
        ensure_base(Open(Virsh("u"), tmp_path), tmp_path, str(over), {})


def test_too_many_data_disks_are_refused_before_anything_is_asked() -> None:
    with pytest.raises(UsageError, match="data_volumes_per_node is 40"):
        LibvirtCloud().make_ready("debian", {"data_volumes_per_node": 40})


def test_the_key_of_an_image_tells_what_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("E2E_APT_MIRROR", raising=False)
    plain = image_key(Release())
    assert plain.startswith("libvirt-bookworm-")
    assert image_key(Release("trixie")) != plain
    assert image_key(Release("bookworm", "16")).startswith("libvirt-bookworm-pg16-")
    monkeypatch.setenv("E2E_APT_MIRROR", "http://mirror.example/debian")
    assert image_key(Release()) != plain
    with pytest.raises(UsageError, match="is no Debian suite"):
        image_recipe(Release("Book worm"))


def test_a_seed_serves_cloud_init_and_our_own_image(tmp_path: Path) -> None:
    order = Order(
        deployment="d",
        node="n11",
        machine="d-n11",
        token="t" * 32,
        place=Place(),
        image="debian",
        user="root",
        public_key="ssh-ed25519 AAAA d",
        user_data="#cloud-config\n{}\n",
        tags={},
    )
    made = make_seed(order, tmp_path)
    content = made.read_bytes()
    assert b"cidata" in content
    for text in (b"local-hostname", b"#cloud-config", b"ssh-ed25519 AAAA d", b"n11\n"):
        assert text in content
