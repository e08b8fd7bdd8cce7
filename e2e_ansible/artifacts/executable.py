"""What a file is that is to be run on a node: a program for Linux, for which processor, or a script."""

from __future__ import annotations

from pathlib import Path

from e2e_ansible.errors import InfrastructureError

__all__ = ["GO_NAMES", "check_executable", "is_executable"]

#: What Go calls a machine, by the name that `uname -m` has for it.
GO_NAMES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "riscv64": "riscv64",
    "s390x": "s390x",
    "ppc64le": "ppc64le",
}
_ELF = b"\x7fELF"
_SCRIPT = b"#!"
_MACHINES = {3: "i386", 21: "ppc64le", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
_OTHERS = {
    b"\xcf\xfa\xed\xfe": "a program for macOS",
    b"\xca\xfe\xba\xbe": "a program for macOS",
    b"MZ": "a program for Windows",
}


def is_executable(head: bytes) -> bool:
    """Whether a file that begins so can be run on Linux."""
    return head.startswith((_ELF, _SCRIPT))


def check_executable(path: Path, machine: str, title: str) -> None:
    """Refuse what does not run on `machine`, as `uname -m` names it. `title` says where the file comes from.

    Raises:
        InfrastructureError: it is for another processor or system, or no program at all.
    """
    with path.open("rb") as stream:
        head = stream.read(20)
    if head.startswith(_SCRIPT):
        return
    if not head.startswith(_ELF) or len(head) < 20:
        other = next((what for magic, what in _OTHERS.items() if head.startswith(magic)), "no program")
        raise InfrastructureError(f"{title} is {other}; a program for Linux on {machine} is needed")
    code = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
    built_for = _MACHINES.get(code, f"the machine number {code} of ELF")
    if built_for != machine:
        raise InfrastructureError(
            f"{title} is for {built_for}, and the node is {machine}",
            hint=f"take the one for linux_{GO_NAMES.get(machine, machine)}",
        )
