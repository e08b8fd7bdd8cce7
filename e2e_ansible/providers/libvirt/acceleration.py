"""Whether machines run with KVM. That a device is there says little: nested or filtered, guests hang on it."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import UsageError
from e2e_ansible.providers.cloud.trouble import CloudError
from e2e_ansible.providers.libvirt.domain import Disk, Domain, domain_xml
from e2e_ansible.providers.libvirt.storage import Pool
from e2e_ansible.providers.libvirt.virsh import Virsh
from e2e_ansible.providers.system import locked, write_durably

__all__ = ["SETTING", "Answer", "accelerator", "known_answer"]

SETTING = "E2E_LIBVIRT_ACCEL"
_KINDS = {"kvm": "kvm", "tcg": "qemu"}
_SECONDS = 10.0
_LOCK_SECONDS = 60.0
_NAME = "e2e-kvm-probe"
_VOLUME = "probe.raw"
_SIZE = 1024**2
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_LOG = logging.getLogger(__name__)

#: A boot sector that jumps to the reset vector: whoever runs it reboots at once.
_JUMP = bytes((0xEA, 0xF0, 0xFF, 0x00, 0xF0)).ljust(510, b"\0") + b"\x55\xaa"


class Answer(BaseModel):
    """What was found out, and in which boot of this machine."""

    model_config = ConfigDict(frozen=True)

    boot: str
    works: bool
    detail: str


def accelerator(virsh: Virsh, pool: Pool, home: Path) -> str:
    """The type of domains, kvm or qemu. A guest is booted to find out, once per boot of this machine.

    `$E2E_LIBVIRT_ACCEL` (kvm or tcg) decides without asking.

    Raises:
        UsageError: it has another value.
        CloudError: the daemon does not answer.
    """
    forced = os.environ.get(SETTING, "")
    if forced:
        if forced.lower() not in _KINDS:
            raise UsageError(f"{SETTING} is {forced!r}", hint="kvm or tcg, or leave it out")
        return _KINDS[forced.lower()]
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(home / "libvirt-acceleration.lock", _LOCK_SECONDS):
        answer = known_answer(virsh, home)
        if answer is None:
            answer = _find_out(virsh, pool)
            _LOG.info("KVM of %s: %s", virsh.uri, answer.detail)
            _remember(virsh, home, answer)
    return "kvm" if answer.works else "qemu"


def known_answer(virsh: Virsh, home: Path) -> Answer | None:
    """What was found out since this machine was booted; None when nobody has asked."""
    try:
        answer = Answer.model_validate(json.loads(_file(home).read_text(encoding="utf-8"))[virsh.uri])
    except (OSError, ValueError, TypeError, KeyError):  # a ValidationError is a ValueError
        return None
    return answer if answer.boot == _boot() else None


def _find_out(virsh: Virsh, pool: Pool) -> Answer:
    if "kvm" not in virsh.run("capabilities").partition("<guest>")[2]:
        return Answer(boot=_boot(), works=False, detail="the emulator offers no KVM")
    _end(virsh, pool)
    try:
        works, detail = _boots(virsh, pool, "kvm")
    finally:
        _end(virsh, pool)
    return Answer(boot=_boot(), works=works, detail=detail)


def _boots(virsh: Virsh, pool: Pool, kind: str) -> tuple[bool, str]:
    """Whether a machine of this kind gets as far as to reboot, which ends this one."""
    pool.open()
    with tempfile.NamedTemporaryFile() as file:
        file.write(_JUMP.ljust(_SIZE, b"\0"))
        file.flush()
        pool.upload(_VOLUME, Path(file.name), "raw", _SIZE)
    try:
        virsh.run("create", "/dev/stdin", text=_probe(kind, pool.path(_VOLUME)))
    except CloudError as error:
        return False, f"no guest starts on it: {error}"
    if Deadline(_SECONDS).wait_for(lambda: _NAME not in virsh.names("list", "--name"), 0.2):
        return True, "a guest booted on it"
    return False, f"a guest did not boot on it in {_SECONDS:g} s"


def _probe(kind: str, disk: str) -> str:
    return domain_xml(
        Domain(
            name=_NAME,
            accelerator=kind,
            memory_mb=1024,
            vcpus=1,
            disks=[Disk(disk, "probe", kind="raw")],
            mac="",
            tags={},
            created=0,
            on_reboot="destroy",
        )
    )


def _end(virsh: Virsh, pool: Pool) -> None:
    """Remove the machine and its disk, also those that a killed asker has left."""
    if _NAME in virsh.names("list", "--name"):
        virsh.run("destroy", _NAME)
    pool.remove([name for name in pool.names() if name == _VOLUME])


def _remember(virsh: Virsh, home: Path, answer: Answer) -> None:
    try:
        known = dict(json.loads(_file(home).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        known = {}
    write_durably(_file(home), json.dumps({**known, virsh.uri: answer.model_dump()}))


def _file(home: Path) -> Path:
    return home / "libvirt-acceleration.json"


def _boot() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip()
