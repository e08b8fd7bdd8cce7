"""The nearest right name for a wrong one: what a person most likely meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice

__all__ = ["nearest", "suggestion"]

_LONGEST = 80
_LISTED = 20
_COMPARED = 300
_ALIKE = 0.6
_VERY_ALIKE = 0.8

_MEANT: dict[str, tuple[str, ...]] = {
    "amazon": ("aws",),
    "attempts": ("max_attempts",),
    "boot_node": ("start_node",),
    "check": ("checks",),
    "cluster_healthy": ("cluster_status",),
    "cluster_nodes": ("cluster_size",),
    "cmd": ("custom_command",),
    "command": ("custom_command", "commands"),
    "cpus": ("min_cpus", "libvirt_vcpus"),
    "create": ("deploy",),
    "db_running": ("database_running",),
    "delay": ("delay_seconds",),
    "desc": ("description",),
    "docker": ("local",),
    "exec": ("custom_command",),
    "google": ("gcp",),
    "hard": ("destroy",),
    "host": ("target_node",),
    "id": ("name",),
    "ignore_failures": ("allow_failures",),
    "instance_count": ("cluster_size",),
    "interval": ("delay_seconds",),
    "kill_node": ("crash_node",),
    "kvm": ("libvirt",),
    "memory_gb": ("min_memory_gb", "libvirt_memory_gb"),
    "node": ("target_node",),
    "node_count": ("cluster_size",),
    "nodes": ("target_node", "targets", "cluster_size"),
    "nspawn": ("local",),
    "params": ("parameters",),
    "pause_seconds": ("delay_seconds",),
    "pg_version": ("postgres_version",),
    "poweroff": ("stop_node",),
    "power_off": ("stop_node",),
    "qemu": ("libvirt",),
    "reboot_node": ("restart_node",),
    "retries": ("retry", "max_attempts"),
    "run": ("custom_command",),
    "save_as": ("register",),
    "settings": ("postgres_settings",),
    "setup": ("init", "deploy"),
    "shell": ("custom_command",),
    "single": ("standalone",),
    "size": ("cluster_size",),
    "ssh_reachable": ("ssh_connectivity",),
    "steps": ("workflow",),
    "suites": ("test_suites",),
    "target": ("target_node", "targets"),
    "tear_down": ("destroy",),
    "teardown": ("destroy",),
    "tests": ("test_suites",),
    "timeout": ("timeout_seconds",),
    "title": ("description",),
    "tries": ("max_attempts",),
    "type": ("step", "test_type"),
    "vars": ("variables",),
    "verify": ("validate",),
    "version": ("postgres_version",),
    "wait_seconds": ("delay_seconds",),
}


def nearest(wrong: str, known: Iterable[str]) -> str | None:
    """The known name that is most like `wrong`, or None when none is like it.

    >>> nearest("Crash-Node", ["crash_node", "stop_node"])
    'crash_node'
    >>> nearest("reboot_node", ["restart_node", "stop_node"])
    'restart_node'
    """
    if len(wrong) > _LONGEST:
        return None
    by_shape = {_shape(name): name for name in islice(known, _COMPARED)}
    shape = _shape(wrong)
    for word in (shape, *_MEANT.get(shape, ())):
        if word in by_shape:
            return by_shape[word]
    begun = [name for name in by_shape if name.startswith(f"{shape}_")]
    close = begun if len(begun) == 1 else []
    close = close or difflib.get_close_matches(shape, list(by_shape), n=1, cutoff=_ALIKE)
    if close:
        return by_shape[close[0]]
    meant = {key: by_shape[word] for key, words in _MEANT.items() for word in words if word in by_shape}
    close = difflib.get_close_matches(shape, list(meant), n=1, cutoff=_VERY_ALIKE)
    return meant[close[0]] if close else None


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """A hint: the nearest name, else what is known, else nothing.

    >>> suggestion("azur", ["aws", "azure"])
    "did you mean 'azure'?"
    """
    names = sorted(name for name in islice(known, _COMPARED) if name.isprintable())
    near = nearest(wrong, names)
    if near is not None:
        return f"did you mean {near!r}?"
    if not names:
        return ""
    listed = ", ".join(names[:_LISTED])
    return f"known: {listed}" + (", ..." if len(names) > _LISTED else "")


def _shape(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")
