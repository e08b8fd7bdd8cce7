"""Sights: each state of a node in few words."""

from __future__ import annotations

import pytest

from e2e_ansible.nodes.observation import (
    AdminUi,
    NodeObservation,
    Observation,
    Postgres,
    PowerState,
    Replica,
    Unreachable,
)
from e2e_ansible.report.sight import sights


def seen(**parts: object) -> str:
    node = NodeObservation.model_validate({"node": "n11", "power": PowerState.ON, "reachable": True} | parts)
    return str(sights(Observation(at=0, nodes=(node,)))[0])


@pytest.mark.parametrize(
    ("postgres", "words"),
    [
        (Postgres(installed=False), "postgres not installed"),
        (Postgres(installed=True), "postgres down"),
        (Postgres(installed=True, error="refused"), "postgres down (refused)"),
        (Postgres(installed=True, accepting=True), "postgres up"),
        (
            Postgres(installed=True, accepting=True, in_recovery=True, writable=False, receiver="streaming"),
            "postgres standby, not writable; replication receiver streaming",
        ),
        (
            Postgres(
                installed=True,
                accepting=True,
                in_recovery=False,
                writable=True,
                timeline=2,
                lsn="0/3",
                integrity_error="no table",
                replicas=(Replica(name="n12", state="streaming", sync_state="sync", lag_bytes=7),),
            ),
            "postgres primary, writable, timeline 2, 0/3, integrity: no table; "
            "replication n12 streaming sync 7 B behind",
        ),
    ],
)
def test_postgres(postgres: Postgres, words: str) -> None:
    assert seen(postgres=postgres) == f"n11: power on; ssh answers; {words}"


def test_a_node_that_does_not_answer() -> None:
    assert seen(power=PowerState.OFF, reachable=False) == "n11: power off; ssh no answer"
    why = seen(reachable=False, unreachable=Unreachable.AUTH, reason="denied")
    assert why == "n11: power on; ssh auth (denied)"


def test_units_and_admin_ui() -> None:
    text = seen(
        system_state="degraded",
        failed_units=("a.service",),
        admin_ui=AdminUi(url="http://n11", status=0, error="refused"),
    )
    assert text.endswith("; system degraded (a.service); admin UI no answer (refused)")
    assert seen(admin_ui=AdminUi(url="http://n11", status=503)).endswith("admin UI HTTP 503")
