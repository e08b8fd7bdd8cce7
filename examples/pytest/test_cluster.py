"""Tests with a cluster that is deployed once for all tests of this file, and removed after them."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from e2e_ansible.pytest_plugin.cluster import Cluster

pytestmark = pytest.mark.e2e_cluster(size=1, database="standalone", admin_ui=False)


def test_it_runs(e2e_cluster: Cluster) -> None:
    assert e2e_cluster.nodes == ("n11",)
    assert ipaddress.ip_address(e2e_cluster.addresses["n11"]).is_private
    e2e_cluster.check("cluster_status", "ssh_connectivity")


def test_what_postgres_says_is_the_output_of_a_step(e2e_cluster: Cluster) -> None:
    ask = ["runuser", "-u", "postgres", "--", "psql", "-AtXc", "SELECT 6 * 7"]
    step = {"step": "custom_command", "target_node": "n11", "custom_command": ask, "register": "answer"}
    result = e2e_cluster.run([step])
    assert result.success, e2e_cluster.told(result)
    answer = result.workflow_steps[0].registered
    assert answer is not None
    assert answer["stdout"] == "42"


def test_a_check_that_does_not_hold_fails_the_test(e2e_cluster: Cluster) -> None:
    with pytest.raises(AssertionError, match="cluster_status_stopped failed"):
        e2e_cluster.check("cluster_status_stopped")
