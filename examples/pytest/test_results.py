"""Tests that read what runs have come to: of `--e2e-results RUN`, or of what ran before in this session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from e2e_ansible.pytest_plugin.results import Results


def test_a_crash_costs_less_than_a_minute_of_writes(e2e_results: Results) -> None:
    if all(test.name != "crash" for test in e2e_results.tests):
        pytest.skip("the suite has not run yet; name a run of it: --e2e-results RUN")
    crash = e2e_results.test("crash")
    client = next(client for client in crash.clients if client.name == "app")
    assert client.acknowledged > 0
    assert client.lost_count == 0
    assert 0 < client.outage_writes < 60
