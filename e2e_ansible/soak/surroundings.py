"""What a soak ran on and with: for `environment.json` and the manifest of the seed. No variable of the environment."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e_ansible import __version__
from e2e_ansible.compile.plan import Plan
from e2e_ansible.run.folder import Manifest
from e2e_ansible.soak.options import SoakOptions
from e2e_ansible.soak.rules import iso

__all__ = ["environment_text", "git_sha", "manifest_text"]

_GIT_SECONDS = 10


def manifest_text(
    manifest: Manifest, options: SoakOptions, plan: Plan, variables: Mapping[str, object]
) -> str:
    """The text of `manifests/manifest.json`, with the names of the seed. `variables` are those of the test."""
    contexts = plan.contexts or ("", "")
    config = {
        "primary_context": contexts[0],
        "secondary_context": contexts[1],
        "method": variables.get("method"),
        "old_hub_action": variables.get("old_primary"),
        "variables": dict(variables),
        "cycles": options.cycles,
        "dry_run": manifest.dry_run,
        "cooldown_seconds": options.cooldown,
        "stop_on_failure": options.stop_on_failure,
        "run_hours": options.run_hours,
        "max_failures": options.max_failures,
        "resume": False,  # this is written when a run begins; one that is resumed keeps its folder
        "inject_failure": options.inject or None,
        "inject_at_phase": options.inject_at_phase or None,
        "seed": options.seed,
    }
    made = {
        "run_id": manifest.run_id,
        "created_at": iso(manifest.started),
        "suite": manifest.suite,
        "config": config,
        "environment": {
            "git_sha": git_sha(Path(plan.suite_file).resolve().parent),
            "tool_version": __version__,
            "python_version": platform.python_version(),
            "hostname": socket.gethostname(),
        },
    }
    return json.dumps(made, indent=1) + "\n"


def environment_text(manifest: Manifest, plan: Plan) -> str:
    """The text of `environment.json`: versions, this machine, the nodes that were planned."""
    made = {
        "run_id": manifest.run_id,
        "dry_run": manifest.dry_run,
        "versions": manifest.versions,
        "host": {
            "hostname": socket.gethostname(),
            "system": platform.platform(),
            "processors": len(os.sched_getaffinity(0)),
            "memory_mib": _memory(),
        },
        "suite": {
            "file": plan.suite_file,
            "digest": plan.suite_digest,
            "git_sha": git_sha(Path(plan.suite_file).resolve().parent),
        },
        "provider": plan.provider,
        "database": plan.database,
        "parameters": dict(plan.parameters),
        "nodes": [{"name": node.name, "labels": list(node.labels)} for node in plan.nodes],
    }
    return json.dumps(made, indent=1) + "\n"


def _memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20


def git_sha(folder: Path) -> str:
    """The short name of the commit that a folder is at, '' when it is in no repository, or git is not there."""
    said = _git(folder, ["rev-parse", "--short", "HEAD"])
    changed = _git(folder, ["status", "--porcelain", "--untracked-files=no"]) if said else ""
    return f"{said}-dirty" if changed else said


def _git(folder: Path, words: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
