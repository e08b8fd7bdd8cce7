"""A flow on real nodes: branches at once, a load in the background over a crash, a rescue, an end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from real_runs import PASS, Steps, run_steps

from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.reading import read_run

pytestmark = pytest.mark.nodes


def shell(name: str, script: str, node: str = "n11", **more: Any) -> dict[str, Any]:
    """A script on a node."""
    head = {"step": "custom_command", "name": name, "target_node": node}
    return {**head, "custom_command": ["sh", "-c", script], **more}


#: It ends well only if both run at the same time.
MEET = """touch /tmp/meet-MINE
for i in $(seq 200); do
  [ "$(ls /tmp | grep -c ^meet-)" = 2 ] && exit 0
  sleep 0.1
done
exit 1"""
LOAD = "while [ ! -e /tmp/enough ]; do echo x >> /tmp/load; sleep 0.1; done"
FLOW: Steps = [
    {"step": "make_nodes"},
    shell("load", LOAD, background=True, timeout_seconds=120),
    {
        "step": "group",
        "parallel": True,
        "foreach": {"mine": ["a", "b"]},
        "steps": [shell("meet-${foreach.mine}", MEET.replace("MINE", "${foreach.mine}"))],
    },
    {
        "step": "group",
        "name": "outage",
        "on_rescue": "continue",
        "steps": [
            {"step": "crash_node", "target_node": "n12", "method": "destroy"},
            shell("fails", "exit 7"),
            shell("never", "true"),
        ],
        "rescue": [{"step": "start_node", "target_node": "n12", "when": "failed fails"}],
        "finally": [shell("end", "touch /tmp/end")],
    },
    shell("answers", "hostname", node="n12", register="host"),
    shell("counts", "wc -l < /tmp/load; test -e /tmp/end", when="${steps.host.stdout} == n12"),
    shell("enough", "touch /tmp/enough"),
    {"step": "wait", "for": ["load"]},
]


def test_a_flow_on_real_nodes(tmp_path: Path) -> None:
    real = run_steps(tmp_path, FLOW, size=2)
    test = real.test
    assert (test.verdict, test.cause) == PASS, test.error
    status = {step.id.partition("-")[2]: step.status.value for step in test.workflow_steps}
    assert (status["fails"], status["never"], status["start-node"]) == ("failed", "skipped", "completed")
    assert status["counts"] == "completed"
    assert read_run(RunFolder.open(real.folder)).tests == (test,), "the same from the folder"
    assert test.evidence == ("evidence",), "collected before the rescue"
    assert not (real.folder / test.folder / "evidence/n12/journal.txt").exists(), "n12 was still down then"
