"""A check of this suite's own: a function that gets a context and returns True or False."""

from __future__ import annotations

from typing import Any

from e2e_ansible.api import ValidationRegistry


def no_failed_units(context: dict[str, Any]) -> bool:
    """Whether systemd calls no unit of any node failed; a node that does not answer has shown nothing."""
    return all(node["reachable"] and not node["failed_units"] for node in context["nodes"])


ValidationRegistry.register("no_failed_units", "No systemd unit of any node has failed", no_failed_units)
