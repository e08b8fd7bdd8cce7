"""What a node is asked for of its site: one program, one line as answer, and what a task makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from e2e_ansible.nodes import placed
from e2e_ansible.nodes.site_act import ARGUMENTS, STATES, act_on_site, site_program
from e2e_ansible.nodes.site_data import Data
from e2e_ansible.nodes.site_main import SITE_MARKER, SWITCHED
from e2e_ansible.nodes.site_member import position, replayed, shown, writes

GIVEN = {
    "state": "standby",
    "site": "site_a",
    "members": {"n11": "192.0.2.11"},
    "other_site": "site_b",
    "others": {"n12": "192.0.2.12"},
    "port": 5432,
    "force": False,
    "stanza": "main",
    "deadline_seconds": 1.0,
}


def answered(answer: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The result of a task whose node gives this answer, after something else that was printed."""
    text = f"a banner\n{SITE_MARKER}{json.dumps(answer)}\nbye"
    return act_on_site(lambda *_, **__: {"rc": 0, "stdout": text}, "python3", GIVEN, check=False, **more)


def proof(**changes: Any) -> dict[str, Any]:
    return {"act": "site_a standby", "proved": True, "how": "n11 is in recovery", "seconds": 1.0, **changes}


def test_what_is_proved_is_told() -> None:
    done = answered({"changed": True, "proof": proof()})
    assert done == {"changed": True, "msg": "n11 is in recovery", "e2e_proof": proof()}


def test_a_refusal_fails_and_is_no_proof() -> None:
    refused = proof(proved=False, how="n12 of site_b takes writes", failed=True)
    done = answered({"changed": False, "proof": refused})
    assert done["failed"] is True
    assert done["msg"] == "n12 of site_b takes writes"
    assert done["e2e_proof"]["proved"] is False


def test_check_mode_proves_nothing() -> None:
    assert "e2e_proof" not in answered({"changed": True, "proof": proof(proved=False, how="")})


def test_a_program_that_did_not_run_is_a_failure() -> None:
    gone = {"rc": 127, "stdout": "", "stderr": "python3: not found"}
    done = act_on_site(lambda *_, **__: gone, "python3", GIVEN, check=False)
    assert done["failed"] is True
    assert done["msg"] == "it did not run (exit 127): python3: not found"


def test_the_program_is_sent_when_it_does_not_lie_there() -> None:
    sent: list[bytes] = []

    def execute(_command: str, *, in_data: bytes) -> dict[str, Any]:
        sent.append(in_data)
        if len(sent) == 1:
            return {"rc": placed.MISSING, "stdout": ""}
        return {"rc": 0, "stdout": SITE_MARKER + json.dumps({"changed": False, "proof": proof()})}

    assert act_on_site(execute, "python3", GIVEN, check=False)["e2e_proof"]["proved"]
    assert sent[1] == site_program()
    assert sent[0] != sent[1]


def test_the_joined_program_runs_alone_and_says_that_nothing_is_here() -> None:
    words = [sys.executable, "-I", "-S", "-", json.dumps({**GIVEN, "check": False})]
    done = subprocess.run(words, input=site_program(), capture_output=True, check=True, timeout=20)
    (line,) = (line for line in done.stdout.decode().splitlines() if line.startswith(SITE_MARKER))
    said = json.loads(line[len(SITE_MARKER) :])
    assert said["changed"] is False
    assert (said["proof"]["failed"], said["proof"]["proved"]) == (True, False)


@pytest.mark.parametrize(("text", "place"), [("0/0", 0), ("0/60000A0", 0x60000A0), ("2/1", (2 << 32) + 1)])
def test_places_in_the_wal_are_numbers(text: str, place: int) -> None:
    assert (position(text), shown(place)) == (place, text)


@pytest.mark.parametrize(
    ("told", "may", "at"),
    [
        ({"role": "master", "state": "running", "xlog": {"location": 7}}, True, 7),
        ({"role": "primary", "state": "running", "xlog": {"location": 7}}, True, 7),
        ({"role": "master", "state": "stopped"}, False, 0),
        ({"role": "standby_leader", "state": "running", "xlog": {"replayed_location": 5}}, False, 5),
        ({}, False, 0),
    ],
)
def test_who_writes_and_how_far_it_is(told: dict[str, Any], may: bool, at: int) -> None:
    assert (writes(told), replayed(told)) == (may, at)


def test_every_state_is_somebodys_work() -> None:
    assert all(hasattr(Data, state) for state in STATES if state not in SWITCHED)
    assert ARGUMENTS["state"]["choices"] == list(STATES)
