"""What the action `package_store` does: packages on the controller, and from there on a node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e_ansible.artifacts.delivery import Hands
from e2e_ansible.artifacts.package_image import in_image
from e2e_ansible.artifacts.packages import Wanted, count, ensure, load_packages, machine_of, on_node
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.local.image import ensure_image, image_key
from e2e_ansible.providers.releases import Release

__all__ = ["Request", "serve"]


@dataclass(frozen=True)
class Request:
    """Packages; `release` is that of the image of local nodes, empty where only a node can say what it has."""

    names: tuple[str, ...]
    release: Mapping[str, str]
    load: bool


def serve(
    request: Request, hands: Hands, fetch: Callable[[str, Path], None], *, only_look: bool
) -> dict[str, Any]:
    """Make the packages be on the controller, and if asked on the node that `hands` reach.

    Raises:
        UsageError: one is no package.
        InfrastructureError: they cannot be had, or do not fit.
    """
    wanted, make = _local(request) if request.release else _remote(request, hands, fetch)
    tar, made = ensure(wanted, make, only_look=only_look)
    if tar is None:
        return {"changed": True, "key": wanted.key, "count": 0}
    loaded = request.load and load_packages(hands, wanted, tar, only_look=only_look)
    return {"changed": made or loaded, "key": wanted.key, "file": str(tar), "count": count(tar)}


def _local(request: Request) -> tuple[Wanted, Callable[[Path, int], None]]:
    release = Release(**request.release)

    def make(folder: Path, lock: int) -> None:
        in_image(ensure_image(default_home() / "images", release), request.names)(folder, lock)

    return Wanted(request.names, image_key(release)), make


def _remote(
    request: Request, hands: Hands, fetch: Callable[[str, Path], None]
) -> tuple[Wanted, Callable[[Path, int], None]]:
    return Wanted(request.names, machine_of(hands)), on_node(hands, request.names, fetch)
