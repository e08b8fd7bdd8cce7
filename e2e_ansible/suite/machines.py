"""`hardware` where a provider can neither make nor reserve it is refused, with its line."""

from __future__ import annotations

from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.model import TestEntry
from e2e_ansible.suite.value import Value, at

__all__ = ["lint_machines"]

#: Whose nodes are on the machine that the quota is of, or are made of single parts.
_CAN = ("local", "libvirt")
_STATIC = "its machines are as they are: choose others in the inventory"
_CLOUD = "say instance_type, which decides what its machines have"


def lint_machines(value: Value, entry: TestEntry | None, provider: str | None, findings: Findings) -> None:
    """Note a problem of the parameter `hardware`, if there is one."""
    if entry is None or provider is None or provider in _CAN or not entry.parameters.hardware:
        return
    place = at(value, ("parameters", "hardware"))
    hint = _STATIC if provider == "static" else _CLOUD
    findings.add(place, f"provider {provider!r} cannot give nodes hardware", hint, unsupported=True)
