"""A program from the controller to one node: into its store, and from there to its place, whole or not at all."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e_ansible.artifacts.stroppy import Program
from e2e_ansible.errors import InfrastructureError

__all__ = ["STORE", "Hands", "Seen", "look", "place", "run_on_node", "store", "version"]

STORE = "/var/cache/e2e-ansible/stroppy"
"""Folder on a node with programs under the name of their SHA-256."""

_WORDS = 300
#: put SOURCE TARGET SHA256 QUESTION. The number of the shell is in the other name, because two may be at it.
_PUT = """\
set -e
umask 022
draft=$2.$$
trap 'rm -f "$draft"' EXIT
install -D -m 0755 "$1" "$draft"
[ "$(sha256sum <"$draft")" = "$3  -" ] || { echo "it arrived damaged" >&2; exit 1; }
[ -z "$4" ] || "$draft" "$4" >/dev/null </dev/null
mv -fT "$draft" "$2"
"""


@dataclass(frozen=True)
class Hands:
    """What can be done on a node: run words of a shell, and copy a file to a place that may be forgotten."""

    execute: Callable[[str], Mapping[str, Any]]
    transfer: Callable[[Path], str]


@dataclass(frozen=True)
class Seen:
    """A node before: what `uname -m` says, the SHA-256 of what is at the place, and the names in the store."""

    machine: str
    installed: str
    mode: str
    stored: frozenset[str]


def look(hands: Hands, path: str) -> Seen:
    """See what a node has.

    Raises:
        InfrastructureError: it cannot be asked.
    """
    file = shlex.quote(path)
    text = run_on_node(
        hands,
        f"uname -m; sha256sum < {file} 2>/dev/null || echo -; stat -Lc %a {file} 2>/dev/null || echo -;"
        f" ls {STORE} 2>/dev/null || true",
        "look at the node",
    )
    machine, installed, mode, *stored = (*text.split("\n"), "", "", "")
    return Seen(
        machine.strip(), installed.split(" ", maxsplit=1)[0], mode.strip(), frozenset(map(str.strip, stored))
    )


def store(hands: Hands, program: Program) -> None:
    """Copy a program into the store of a node.

    Raises:
        InfrastructureError: it could not be copied.
    """
    words = (hands.transfer(program.path), f"{STORE}/{program.sha256}", program.sha256, "")
    run_on_node(hands, _put(*words), "copy the program to the node")


def place(hands: Hands, program: Program, path: str, *, stored: bool) -> None:
    """Put a program at its place, from the store if it is there; it must tell its version before it takes the name.

    Raises:
        InfrastructureError: it could not be copied, or does not run on the node; what was there before is still there.
    """
    source = f"{STORE}/{program.sha256}" if stored else hands.transfer(program.path)
    run_on_node(hands, _put(source, path, program.sha256, "version"), f"install {program.title}")


def _put(source: str, target: str, sha256: str, ask: str) -> str:
    return shlex.join(["/bin/sh", "-c", _PUT, "e2e", source, target, sha256, ask])


def version(hands: Hands, path: str) -> str:
    """What the program says of itself, in one line.

    Raises:
        InfrastructureError: it does not run.
    """
    text = run_on_node(hands, f"{shlex.quote(path)} version </dev/null", f"ask {path} for its version")
    return ", ".join(" ".join(line.split()) for line in text.splitlines() if line.strip())[:_WORDS]


def run_on_node(hands: Hands, script: str, what: str) -> str:
    """What a script of a shell says on a node.

    Raises:
        InfrastructureError: it failed; the message has `what` was to be done, and what was said last.
    """
    done = hands.execute(f"/bin/sh -c {shlex.quote(script)}")
    if done["rc"]:
        said = str(done.get("stderr") or done.get("stdout") or "").strip()
        tail = " ".join(said.splitlines()[-3:])[-_WORDS:] or f"exit status {done['rc']}"
        raise InfrastructureError(f"could not {what}: {tail}")
    return str(done["stdout"])
