"""Brings Stroppy to one node, if it is not there already."""

from __future__ import annotations

from typing import Any

from e2e_ansible.artifacts.delivery import Hands, look, place, store, version
from e2e_ansible.artifacts.stroppy import Source, program
from e2e_ansible.errors import UsageError

__all__ = ["deliver"]

_MODE = "755"
_USUAL = "/usr/local/bin/stroppy"


def deliver(hands: Hands, source: Source, path: str, *, install: bool, only_look: bool) -> dict[str, Any]:
    """The program in the store of a node; with `install` at `path`. Tells what it changed, or would.

    Raises:
        UsageError: it is not said, or twice, where it comes from, or `path` is no place for it.
        InfrastructureError: it cannot be had, does not run on the node, or could not be copied.
    """
    if not path.startswith("/") or path.endswith("/"):
        raise UsageError(
            f"path is the program's name on the node, with all folders, such as {_USUAL}, not {path!r}"
        )
    seen = look(hands, path)
    made = program(source, seen.machine, only_look=only_look)
    told: dict[str, Any] = {"machine": seen.machine, "source": source.title, "path": path}
    if made is None:
        return {**told, "changed": True, "sha256": "", "version": ""}
    told["sha256"] = made.sha256
    stored = made.sha256 in seen.stored
    if not install:
        if not stored and not only_look:
            store(hands, made)
        return {**told, "changed": not stored, "version": ""}
    right = (seen.installed, seen.mode) == (made.sha256, _MODE)
    if not right and not only_look:
        place(hands, made, path, stored=stored)
    told["version"] = version(hands, path) if right or not only_look else ""
    return {**told, "changed": not right}
