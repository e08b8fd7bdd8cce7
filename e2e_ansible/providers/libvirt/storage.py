"""The pool of volumes: base images, which stay, and what belongs to one machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from e2e_ansible.providers.cloud.trouble import Trouble, passing
from e2e_ansible.providers.libvirt.virsh import Virsh

__all__ = ["Pool", "Volume"]

_SYSTEM_FOLDER = Path("/var/lib/libvirt/images/e2e-ansible")
_UPLOAD_SECONDS = 1800.0
_OURS = "e2e"


@dataclass(frozen=True)
class Volume:
    """A volume of one machine. Its name tells whose it is: neither ids nor names of nodes have a dot."""

    deployment: str
    node: str
    part: str

    @property
    def name(self) -> str:
        """In the pool."""
        return f"{_OURS}.{self.deployment}.{self.node}.{self.part}"

    @classmethod
    def parse(cls, name: str) -> Volume | None:
        """The volume of this name; None where it is none of a machine of ours."""
        words = name.split(".", 3)
        return cls(*words[1:]) if len(words) == 4 and words[0] == _OURS else None


class Pool:
    """Where the daemon keeps our volumes. `$E2E_LIBVIRT_POOL` names another pool that is there.

    It is made when something is put into it. For the daemon of the system it lies where libvirt keeps its images,
    for that of a user below `home`.
    """

    def __init__(self, virsh: Virsh, home: Path) -> None:
        self._virsh = virsh
        self.name = os.environ.get("E2E_LIBVIRT_POOL") or "e2e-ansible"
        self._folder = home / "libvirt" if virsh.is_session else _SYSTEM_FOLDER

    def open(self) -> None:
        """Make it and start it, where it is not."""
        state = self._state()
        if not state:
            self._virsh.run("pool-define", "/dev/stdin", text=_pool_xml(self.name, self._folder))
            self._virsh.run("pool-build", self.name)
        if state != "running":
            self._virsh.run("pool-start", self.name)

    def names(self) -> list[str]:
        """Of all its volumes; none where there is no such pool."""
        if not self._state():
            return []
        self.open()
        return [line.split()[0] for line in self._virsh.names("vol-list", self.name)]

    def volumes(self, deployment: str = "") -> list[Volume]:
        """Those of machines, of one deployment or of all."""
        parsed = [Volume.parse(name) for name in self.names()]
        return [each for each in parsed if each and deployment in ("", each.deployment)]

    def path(self, name: str) -> str:
        """Of a volume, where the daemon runs."""
        return self._virsh.run("vol-path", name, "--pool", self.name).strip()

    def created(self, name: str) -> float:
        """When a volume was made or last written, in seconds since 1970; 0 where it is not told."""
        stamps = ElementTree.fromstring(self._virsh.run("vol-dumpxml", name, "--pool", self.name))
        return float(
            stamps.findtext("target/timestamps/btime") or stamps.findtext("target/timestamps/mtime") or 0
        )

    def upload(self, name: str, file: Path, kind: str, size: int) -> None:
        """Put a file into a new volume of `size` bytes."""
        self._make(name, kind, size)
        self._virsh.run("vol-upload", name, str(file), "--pool", self.name, seconds=_UPLOAD_SECONDS)

    def make_disk(self, name: str, size: int, base: str = "", base_kind: str = "") -> None:
        """A new qcow2 volume of `size` bytes, empty or over the volume `base`."""
        self._make(name, "qcow2", size, self.path(base) if base else "", base_kind)

    def remove(self, names: Sequence[str]) -> None:
        """What is gone already is no error."""
        for name in names:
            with passing(Trouble.MISSING):
                self._virsh.run("vol-delete", name, "--pool", self.name)

    def _make(self, name: str, kind: str, size: int, base: str = "", base_kind: str = "") -> None:
        xml = _volume_xml(name, kind, size, base, base_kind)
        self._virsh.run("vol-create", self.name, "/dev/stdin", text=xml)

    def _state(self) -> str:
        said = "State:"
        with passing(Trouble.MISSING):
            said = self._virsh.run("pool-info", self.name)
        return next(line.split(":")[1].strip() for line in said.splitlines() if line.startswith("State"))


def _pool_xml(name: str, folder: Path) -> str:
    pool = ElementTree.Element("pool", type="dir")
    ElementTree.SubElement(pool, "name").text = name
    target = ElementTree.SubElement(pool, "target")
    ElementTree.SubElement(target, "path").text = str(folder)
    return ElementTree.tostring(pool, encoding="unicode")


def _volume_xml(name: str, kind: str, size: int, base: str, base_kind: str) -> str:
    volume = ElementTree.Element("volume")
    ElementTree.SubElement(volume, "name").text = name
    ElementTree.SubElement(volume, "capacity").text = str(size)
    ElementTree.SubElement(volume, "allocation").text = "0"
    target = ElementTree.SubElement(volume, "target")
    ElementTree.SubElement(target, "format", type=kind)
    if base:
        store = ElementTree.SubElement(volume, "backingStore")
        ElementTree.SubElement(store, "path").text = base
        ElementTree.SubElement(store, "format", type=base_kind)
    return ElementTree.tostring(volume, encoding="unicode")
