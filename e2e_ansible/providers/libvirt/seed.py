"""The little disk by which a machine learns its name, its user and who may log in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from e2e_ansible.errors import ProviderError
from e2e_ansible.providers.cloud.machine import Order
from e2e_ansible.providers.system import PROGRAMS, run

__all__ = ["SERIAL", "make_seed"]

#: By which our own image knows the disk; cloud-init goes by the label.
SERIAL = "e2e-seed"
_LABEL = "cidata"


def make_seed(order: Order, folder: Path) -> Path:
    """An ISO file in `folder`: the `NoCloud` of cloud-init, and the same in plain words for our own image.

    Raises:
        ProviderError: there is no program that makes one.
    """
    content = folder / "seed"
    content.mkdir()
    meta_data = {"instance-id": order.token, "local-hostname": order.node}
    for name, text in {
        "meta-data": json.dumps(meta_data) + "\n",
        "user-data": order.user_data,
        "hostname": f"{order.node}\n",
        "user": f"{order.user}\n",
        "authorized_keys": f"{order.public_key}\n",
    }.items():
        (content / name).write_text(text, encoding="utf-8")
    made = folder / "seed.iso"
    run([*_maker(), "-quiet", "-o", str(made), "-V", _LABEL, "-R", "-J", str(content)])
    return made


def _maker() -> list[str]:
    if shutil.which("genisoimage", path=PROGRAMS):
        return ["genisoimage"]
    if shutil.which("xorriso", path=PROGRAMS):
        return ["xorriso", "-as", "mkisofs"]
    raise ProviderError("neither genisoimage nor xorriso is installed", hint="apt-get install genisoimage")
