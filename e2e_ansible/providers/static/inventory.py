"""Reads an ordinary inventory, INI or YAML, and gives the nodes of a test the machines in it."""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.base import NodeSpec
from e2e_ansible.providers.static.access import Access

__all__ = ["VARIABLE", "Machine", "assign", "inventory_path", "machines", "refuse_controller"]

VARIABLE = "E2E_STATIC_INVENTORY"
"""Names the inventory by hand, where no suite does."""

_SUITE_FOLDER = "E2E_SUITE_FOLDER"
_READ_SECONDS = 60
_SSH_PORT = 22
_OWN_GROUPS = frozenset({"all", "ungrouped", "e2e_nodes"})
_REDFISH = "e2e_redfish_"
_FIELDS = ("url", "system", "username", "password_file", "ca", "password")
_SECRETS = frozenset(
    {
        "ansible_password",
        "ansible_ssh_pass",
        "ansible_ssh_password",
        "ansible_become_pass",
        "ansible_become_password",
        "ansible_sudo_pass",
        f"{_REDFISH}password",
    }
)
_VAULT = "__ansible_vault"
_TEMPLATE_MARKS = ("{{", "{%", "{#")
_THROUGH_OTHERS = ("proxyjump", "proxycommand", "-j ")


class Machine(BaseModel):
    """A host of the inventory. `variables` are those of Ansible about its connection; other ones stay behind."""

    model_config = ConfigDict(frozen=True)

    host: str
    groups: tuple[str, ...] = ()
    variables: dict[str, object] = {}
    redfish: Access | None = None

    @property
    def address(self) -> str:
        """What the connection is made to."""
        return str(self.variables.get("ansible_host") or self.host)

    @property
    def port(self) -> int:
        """Of its ssh server."""
        return int(str(self.variables.get("ansible_port") or _SSH_PORT))

    @property
    def connection(self) -> str:
        """The short name of its connection plugin."""
        return str(self.variables.get("ansible_connection") or "ssh").rpartition(".")[2]

    @property
    def direct(self) -> bool:
        """Whether its ssh server is reached without another machine in between."""
        words = " ".join(
            str(self.variables.get(f"ansible_ssh_{kind}_args") or "") for kind in ("common", "extra")
        ).lower()
        by_ssh = self.connection in ("ssh", "smart", "paramiko", "paramiko_ssh", "libssh")
        return by_ssh and not any(mark in f"{words} " for mark in _THROUGH_OTHERS)

    @property
    def keys(self) -> frozenset[str]:
        """What no other machine has: addresses with ports, and the system that its power is asked of."""
        places = {f"{each}:{self.port}" for each in (self.address.lower(), *_addresses(self.address))}
        return frozenset(places | ({self.redfish.key} if self.redfish else set()))


def inventory_path(parameters: Mapping[str, object]) -> Path:
    """The inventory file. A relative name of a suite starts at the suite's folder, else at the present one.

    Raises:
        UsageError: none is named, or it is not there.
    """
    named, by_hand = parameters.get("inventory"), os.environ.get(VARIABLE)
    if not named and not by_hand:
        raise UsageError(
            "provider static needs to know the inventory of its machines",
            hint=f"parameters: {{inventory: hosts.ini}} in the suite, or the variable {VARIABLE}",
        )
    base = Path(os.environ.get(_SUITE_FOLDER) or ".") if named else Path()
    path = Path(os.path.abspath(base / Path(str(named or by_hand)).expanduser()))  # noqa: PTH100  # links stay
    if not path.is_file():
        near = difflib.get_close_matches(path.name, _files(path.parent), n=1)
        hint = (
            f"did you mean {path.with_name(near[0])}?"
            if near
            else "a relative name starts at the suite's folder"
        )
        raise UsageError(f"there is no inventory file {path}", hint=hint)
    return path


def machines(path: Path) -> tuple[Machine, ...]:
    """All hosts of an inventory in the order of `ansible-inventory --graph`.

    Raises:
        UsageError: it cannot be read, a secret in it is not encrypted, or a variable is wrong.
    """
    read = _listing(path)
    variables = read["_meta"]["hostvars"]
    groups: dict[str, list[str]] = {}
    _walk(read, "all", groups)
    return tuple(
        _machine(host, member_of, variables.get(host, {}), path.parent) for host, member_of in groups.items()
    )


def assign(nodes: Sequence[NodeSpec], found: Sequence[Machine]) -> dict[str, Machine]:
    """The machine of each node: the host of its name, else the next one that no other node has.

    Raises:
        UsageError: there are too few, two are the same machine, or one is this controller.
    """
    by_name = {machine.host: machine for machine in found}
    given = {node.name: by_name[node.name] for node in nodes if node.name in by_name}
    free = [machine for machine in found if machine not in given.values()]
    rest = [node.name for node in nodes if node.name not in given]
    if len(rest) > len(free):
        text = f"{len(nodes)} nodes are wanted, and the inventory has {len(found)} machines"
        raise UsageError(text, hint="a smaller cluster_size, or more hosts in the inventory")
    given |= dict(zip(rest, free, strict=False))
    for machine in given.values():
        refuse_controller(machine)
    _refuse_twins([given[node.name] for node in nodes])
    return {node.name: given[node.name] for node in nodes}


def refuse_controller(machine: Machine) -> None:
    """Raise if the machine is the one that this runs on, as far as its connection tells.

    Raises:
        UsageError: it is.
    """
    hint = "take it out of the inventory, or name the hosts n11, n12, ... that are meant"
    if machine.connection == "local":
        raise UsageError(f"{machine.host} has the local connection, so it is this controller", hint=hint)
    own = [each for each in _addresses(machine.address) if _is_own(each)]
    if own:
        raise UsageError(f"{machine.host} is this controller: {own[0]} is an address of it", hint=hint)


def _refuse_twins(chosen: Sequence[Machine]) -> None:
    owners: dict[str, str] = {}
    for machine in chosen:
        for key in sorted(machine.keys):
            if key in owners:
                text = f"{owners[key]} and {machine.host} are the same machine ({key.strip()})"
                raise UsageError(text, hint="each node needs a machine of its own")
            owners[key] = machine.host


def _listing(path: Path) -> Any:
    settings = {"ANSIBLE_INVENTORY_ENABLED": "yaml,ini", "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ansible", "inventory", "--inventory", str(path), "--list"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_READ_SECONDS,
            env={**os.environ, **settings, "ANSIBLE_NOCOLOR": "1"},
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"ansible-inventory did not read {path} in {_READ_SECONDS} s") from error
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"ansible-inventory ended with {done.returncode}"
        raise UsageError(f"{path} cannot be read as an inventory: {said[-800:]}")
    return json.loads(done.stdout)


def _walk(
    read: Mapping[str, Any], group: str, found: dict[str, list[str]], above: tuple[str, ...] = ()
) -> None:
    """Hosts in the order of the groups, each with all groups that it is in."""
    here = (*above, group)
    for host in read.get(group, {}).get("hosts", ()):
        member_of = found.setdefault(host, [])
        member_of += [name for name in here if name not in member_of and _is_label(name)]
    for child in read.get(group, {}).get("children", ()):
        _walk(read, child, found, here)


def _is_label(group: str) -> bool:
    return group not in _OWN_GROUPS and not group.startswith("power_")


def _machine(host: str, groups: Sequence[str], variables: Mapping[str, Any], folder: Path) -> Machine:
    _refuse_open_secrets(host, variables)
    connection = {
        key: value
        for key, value in variables.items()
        if key.startswith("ansible_") and not _is_vaulted(value)
    }
    for key, value in variables.items():
        ours = key in connection or key.startswith(_REDFISH)
        if ours and isinstance(value, str) and any(mark in value for mark in _TEMPLATE_MARKS):
            text = f"{key} of {host} is a template, and the inventory of static machines is read as it is"
            raise UsageError(text, hint="write its value")
    port = connection.get("ansible_port")
    if port is not None and not str(port).isdecimal():
        raise UsageError(f"ansible_port of {host} is {port!r}, which is no number", hint="22, for example")
    return Machine(
        host=host, groups=tuple(groups), variables=connection, redfish=_access(host, variables, folder)
    )


def _refuse_open_secrets(host: str, variables: Mapping[str, Any]) -> None:
    for key in sorted(_SECRETS & set(variables)):
        if not key.startswith(_REDFISH):
            text = f"{key} of {host} cannot be used: provider static hands on no passwords"
            raise UsageError(text, hint="let the user log in by key, and use sudo without a password")
        if not _is_vaulted(variables[key]):
            text = f"{key} of {host} is not encrypted in the inventory"
            raise UsageError(
                text, hint=f"{_REDFISH}password_file, or ansible-vault encrypt_string --name {key}"
            )


def _access(host: str, variables: Mapping[str, Any], folder: Path) -> Access | None:
    given = {key[len(_REDFISH) :]: value for key, value in variables.items() if key.startswith(_REDFISH)}
    for key in given:
        if key not in _FIELDS:
            near = difflib.get_close_matches(key, _FIELDS, n=1)
            hint = f"did you mean {_REDFISH}{near[0]}?" if near else f"known are: {', '.join(_FIELDS)}"
            raise UsageError(f"{host} has the unknown variable {_REDFISH}{key}", hint=hint)
    if not given.get("url"):
        if given:
            text = f"{host} has {_REDFISH}{min(given)} and no {_REDFISH}url"
            raise UsageError(text, hint="https:// and the address of its board")
        return None
    vaulted = given.pop("password", None)
    for key in ("password_file", "ca"):
        if given.get(key):
            given[key] = os.path.abspath(folder / Path(str(given[key])).expanduser())  # noqa: PTH100
    words = {key: str(value) for key, value in given.items()}
    return Access(**words, password_vault=vaulted[_VAULT] if vaulted else "").checked(host)


def _is_vaulted(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {_VAULT}


def _addresses(name: str) -> tuple[str, ...]:
    """What a name or address stands for, '' when it cannot be resolved here."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(sorted({str(each[4][0]).partition("%")[0] for each in found}))


def _is_own(address: str) -> bool:
    """Whether this machine has the address: then it would also be the sender. Nothing is sent."""
    parsed = ipaddress.ip_address(address)
    if parsed.is_loopback or parsed.is_unspecified:
        return True
    family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
            return str(probe.getsockname()[0]) == address
        except OSError:  # no way there, so it is not here
            return False


def _files(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
