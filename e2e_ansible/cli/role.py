"""`e2e-ansible role`: one role on one node, as an operator runs it by hand."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["role"]


def role(
    name: Annotated[str, typer.Argument(metavar="NAME", help="crash_node, node_power, observe, ...")],
    on: Annotated[
        str,
        typer.Option("--on", metavar="NODE", help="The node, or a pattern as ansible-playbook -l takes it."),
    ],
    deployment: Annotated[
        str | None,
        typer.Option(
            "--deployment", metavar="ID", envvar="E2E_DEPLOYMENT", help="Whose nodes, if there are several."
        ),
    ] = None,
    inventory: Annotated[
        Path | None,
        typer.Option("--inventory", "-i", metavar="FILE", help="An inventory of your own."),
    ] = None,
    extra_vars: Annotated[
        list[str] | None,
        typer.Option("--extra-vars", "-e", metavar="KEY=VALUE", help="A variable; may be repeated."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing, say what would change.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the result of every task.")] = False,
) -> None:
    """Run one role by hand on one node. Exits with the status of ansible-playbook."""
    from e2e_ansible.content import content_root
    from e2e_ansible.errors import UsageError
    from e2e_ansible.names import suggestion

    root = content_root()
    known = sorted(path.stem for path in (root / "playbooks").glob("*.yml"))
    if name not in known:
        raise UsageError(f"there is no role named {name!r}", hint=suggestion(name, known))
    if inventory and "," not in str(inventory) and not os.path.exists(inventory):  # noqa: PTH110  # of any length
        raise UsageError(f"there is no inventory {str(inventory)!r}")
    command = [_ansible_playbook(), str(root / "playbooks" / f"{name}.yml"), "-l", on]
    command += ["-i", str(inventory)] if inventory else []
    command += [part for pair in extra_vars or () for part in ("-e", pair)]
    command += ["--check"] * check + ["-v"] * verbose
    chosen = {} if inventory else {"E2E_DEPLOYMENT": _deployment(deployment)}
    _become(command, {**os.environ, **_settings(root), **chosen})


def _deployment(asked: str | None) -> str:
    from e2e_ansible.errors import UsageError
    from e2e_ansible.names import suggestion
    from e2e_ansible.providers.registry import get_provider

    known = sorted(get_provider("local").deployments())
    if not known:
        hint = "a run with --keep always leaves its nodes; -i names an inventory of your own"
        raise UsageError("there are no nodes here", hint=hint)
    if asked and asked not in known:
        raise UsageError(f"there is no deployment named {asked!r}", hint=suggestion(asked, known))
    if not asked and len(known) > 1:
        raise UsageError("there are several deployments", hint=f"--deployment {' | '.join(known)}")
    return asked or known[0]


def _ansible_playbook() -> str:
    return str(Path(sys.executable).with_name("ansible-playbook"))


def _settings(root: Path) -> dict[str, str]:
    """The project's own configuration; and a node that is not there is an error, not a play on nothing."""
    return {
        "ANSIBLE_CONFIG": str(root / "ansible.cfg"),
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
        "ANSIBLE_HOST_PATTERN_MISMATCH": "error",
    }


def _become(command: Sequence[str], environment: dict[str, str]) -> None:
    """Go on as another program, so that interrupts and the exit status are its own."""
    sys.stdout.flush()
    os.execve(command[0], list(command), environment)  # a list of arguments, without a shell
