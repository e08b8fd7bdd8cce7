"""Sends what is asked of a member of a site to its node, and makes its answer the result of a task."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from e2e_ansible.nodes import placed, site_data, site_main, site_member, site_switch
from e2e_ansible.nodes.link import command
from e2e_ansible.nodes.plain import NO_TERMINAL
from e2e_ansible.nodes.program import joined

__all__ = ["ARGUMENTS", "act_on_site", "site_program"]

STATES = (*site_main.SWITCHED, "removed", "forgotten", "restored", "joined")
ARGUMENTS: Mapping[str, Mapping[str, object]] = {
    "state": {"type": "str", "required": True, "choices": list(STATES)},
    "site": {"type": "str", "required": True},
    "members": {"type": "dict", "required": True},
    "other_site": {"type": "str", "required": True},
    "others": {"type": "dict", "required": True},
    "port": {"type": "int", "default": 5432},
    "force": {"type": "bool", "default": False},
    "stanza": {"type": "str", "default": "main"},
    "deadline_seconds": {"type": "float", "default": 120.0},
}
#: In the order in which they need each other.
PARTS = (site_member, site_switch, site_data, site_main)


@cache
def site_program() -> bytes:
    """The program that runs on the node."""
    return joined(PARTS)


def act_on_site(
    execute: Callable[..., Mapping[str, Any]], interpreter: str, given: Mapping[str, Any], *, check: bool
) -> dict[str, Any]:
    """The result of a task; `execute` is `_low_level_execute_command` of an action. With `check` nothing is done."""
    program, words = site_program(), [json.dumps({**given, "check": check})]
    done = execute(command(interpreter, program, words, sent=False), in_data=NO_TERMINAL)
    if done.get("rc") == placed.MISSING:
        done = execute(command(interpreter, program, words, sent=True), in_data=program)
    return _result(done)


def _result(done: Mapping[str, Any]) -> dict[str, Any]:
    for line in reversed(str(done.get("stdout", "")).splitlines()):
        _, marker, body = line.partition(site_main.SITE_MARKER)
        if marker:
            answer = json.loads(body)
            return _told(bool(answer["changed"]), dict(answer["proof"]))
    said = " ".join(str(done.get("stderr") or done.get("stdout") or "").split())[:500]
    return {"failed": True, "changed": False, "msg": f"it did not run (exit {done.get('rc')}): {said}"}


def _told(changed: bool, proof: dict[str, Any]) -> dict[str, Any]:
    failed = bool(proof.pop("failed", False))
    made: dict[str, Any] = {"changed": changed, "msg": proof["how"]}
    if failed:
        made["failed"] = True
    return {**made, "e2e_proof": proof} if failed or proof["proved"] else made
