"""The suite `unsynced-vm` on virtual machines: rows that were confirmed from memory are gone with the power.

The file has a name that only `make test-vm` asks for, as emulated machines take minutes. Nothing in it depends on that.
"""

from __future__ import annotations

import json

import pytest
from libvirt_daemon import libvirt_daemon
from real_runs import Desk
from role_nodes import REPOSITORY

from e2e_ansible.providers.libvirt.driver import LibvirtProvider

pytestmark = pytest.mark.nodes

SUITE = REPOSITORY / "suites/unsynced-vm.yaml"
_RUN_SECONDS = 7200


def test_without_fsync_confirmed_rows_are_lost_and_with_it_none(desk: Desk) -> None:
    with libvirt_daemon():
        try:
            done = desk.call("run", str(SUITE), seconds=_RUN_SECONDS)
            print(done.out)
            tests = {test.name: test for test in desk.result().tests}
        finally:
            _remove(desk)
    defect, twin = tests["unsynced[fsync=off]"], tests["unsynced[fsync=on]"]
    assert (done.code, defect.verdict, defect.cause) == (1, "fail", "product"), done.said
    (red,) = (step for step in defect.workflow_steps if step.verdict == "fail")
    said = {check.check: check for check in red.validation_results}
    assert red.id.endswith("-verdict")
    assert said["no_lost_rows:app"].passed is False
    assert "had been acknowledged" in said["no_lost_rows:app"].message
    assert (twin.verdict, twin.cause) == ("pass", None), twin.error
    assert [client.lost_count for client in twin.clients if client.name == "app"] == [0]


def _remove(desk: Desk) -> None:
    """What a suite that was ended has left."""
    for manifest in desk.runs.glob("*/run.json"):
        for test in json.loads(manifest.read_text())["tests"]:
            LibvirtProvider(desk.home).destroy(test["deployment"])
