"""The play that brings what a program under test noted of its lines that ran; run before nodes are removed."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.steps.base import Play, play
from e2e_ansible.suite.coverage import CoverageOptions

__all__ = ["coverage_play"]

_DESTINATION = (
    "{{ lookup('ansible.builtin.env', 'E2E_COVERAGE', default='coverage') }}/{{ inventory_hostname }}"
)
_STOP = (
    'for unit; do if systemctl cat "$unit" >/dev/null 2>&1; then systemctl stop "$unit" || exit 1; fi; done'
)


def coverage_play(options: CoverageOptions, nodes: Sequence[str]) -> Play:
    """End the units that write only then, and bring the folder of each node. A node without a unit has none to end."""
    bring = {
        "name": "Bring the files",
        "fetch_folder": {"src": options.directory, "dest": _DESTINATION},
    }
    # The other half of the time is for bringing.
    argv = ["/bin/sh", "-c", _STOP, "e2e", *options.stop]
    stop = {
        "name": "Stop what writes only when it ends",
        "plain_command": {"argv": argv, "timeout_seconds": max(1, int(options.timeout_seconds / 2))},
    }
    # What cannot be stopped may have written all the same.
    both = {"name": "Stop and bring", "block": [stop], "always": [bring]}
    tasks = [both] if options.stop else [bring]
    return play("Collect the coverage", nodes, become=True, tasks=tasks)
