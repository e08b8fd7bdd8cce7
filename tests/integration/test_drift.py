"""Drift on a real node: nothing after a deployment, and the very line after a file was changed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from real_runs import run_steps

from e2e_ansible.verdict import Cause, Verdict

pytestmark = pytest.mark.nodes
CHANGE = (
    "echo 'work_mem = 1MB # by hand' >>$(find /etc/postgresql -path '*conf.d*' -name '*.conf' | head -n 1)"
)
STEPS: list[dict[str, Any]] = [
    {"step": "deploy", "verify_idempotence": True},
    {"step": "drift", "name": "none"},
    {"step": "custom_command", "target_node": "n11", "shell": True, "custom_command": [CHANGE]},
    {"step": "drift", "name": "some"},
]


def test_a_file_that_was_changed_is_named_with_its_difference(tmp_path: Path) -> None:
    real = run_steps(tmp_path, STEPS, postgres_settings={"work_mem": "8MB"})
    by_name = {step.id.partition("-")[2]: step for step in real.test.workflow_steps}
    assert by_name["deploy"].verdict is Verdict.PASS, by_name["deploy"].error
    assert by_name["none"].verdict is Verdict.PASS, by_name["none"].error
    found = by_name["some"]
    assert (found.verdict, found.cause) == (Verdict.FAIL, Cause.PRODUCT)
    change, *handlers = found.failures
    assert all(each.kind == "changed" for each in handlers)
    assert (change.kind, change.host, change.role) == ("changed", "n11", "postgresql")
    assert "-work_mem = 1MB # by hand" in change.message
    assert change.task in str(found.error)
