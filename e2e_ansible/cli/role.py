"""`e2e-ansible role`: one role on one node, as an operator runs it by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from e2e_ansible.cli.options import Verbose

__all__ = ["role"]


def role(
    name: Annotated[str, typer.Argument(metavar="NAME", help="crash_node, node_power, observe, ...")],
    on: Annotated[str, typer.Option("--on", metavar="NODE", help="The node, or a pattern of Ansible's.")],
    deployment: Annotated[
        str | None, typer.Option("--deployment", help="Whose nodes; needed when there are several.")
    ] = None,
    inventory: Annotated[
        Path | None, typer.Option("--inventory", "-i", help="An inventory of your own.")
    ] = None,
    extra_vars: Annotated[
        list[str] | None,
        typer.Option("--extra-vars", "-e", metavar="KEY=VALUE", help="As of ansible-playbook."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing, say what would change.")] = False,
    verbose: Verbose = False,
) -> None:
    """Run one role of this project: ansible-playbook playbooks/NAME.yml -l NODE."""
    from e2e_ansible.content import content_root
    from e2e_ansible.errors import UsageError
    from e2e_ansible.names import suggestion

    root = content_root()
    known = sorted(path.stem for path in (root / "playbooks").glob("*.yml"))
    if name not in known:
        raise UsageError(f"there is no role named {name!r}", hint=suggestion(name, known))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), f"playbooks/{name}.yml", "-l", on]
    command += ["-i", str(inventory.resolve())] if inventory else []
    command += [part for pair in extra_vars or () for part in ("-e", pair)]
    command += ["--check"] * check + ["-v"] * verbose
    chosen = {"E2E_DEPLOYMENT": deployment} if deployment else {}
    environment = {**os.environ, **chosen, "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True"}
    raise typer.Exit(subprocess.run(command, cwd=root, env=environment, check=False).returncode)
