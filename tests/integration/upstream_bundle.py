"""Unpacks the collections of clouds from the bundle `ansible` in a folder, into that folder."""

import sys
import zipfile
from pathlib import Path

COLLECTIONS = ("azure/azcollection", "community/libvirt", "hetzner/hcloud", "openstack/cloud")


def main() -> None:
    folder = Path(sys.argv[1])
    (wheel,) = folder.glob("ansible-*.whl")
    with zipfile.ZipFile(wheel) as bundle:
        wanted = tuple(f"ansible_collections/{name}/" for name in COLLECTIONS)
        bundle.extractall(folder, [name for name in bundle.namelist() if name.startswith(wanted)])
    wheel.unlink()


if __name__ == "__main__":
    main()
