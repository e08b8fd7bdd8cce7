"""Data files are read only when they are asked for, and then the probe gets time for it."""

from __future__ import annotations

from typing import Any

import pytest

from e2e_ansible.nodes.link import Answer, Link
from e2e_ansible.nodes.look import Wanted, look
from e2e_ansible.nodes.probe import SECTIONS
from e2e_ansible.steps.base import CompileContext
from e2e_ansible.steps.validate import Validate, ValidateOptions
from e2e_ansible.suite.parameters import Parameters


def asked(wanted: Wanted) -> tuple[tuple[str, ...], dict[str, Any]]:
    """What the probe is asked for, and with what times."""
    calls: list[tuple[tuple[str, ...], dict[str, Any]]] = []

    def ask(*sections: str, **times: Any) -> Answer:
        calls.append((sections, times))
        facts = {"physical": {"relations": 5, "checked": 5}} if "amcheck" in sections else {}
        return Answer(reachable=True, facts=facts)

    seen = look("n11", {}, "10.0.0.11", wanted, ask)
    assert (seen.physical is not None) is wanted.amcheck
    assert set(calls[0][0]) <= set(SECTIONS)
    return calls[0]


def test_it_is_not_asked_for_by_itself() -> None:
    sections, times = asked(Wanted())
    assert "amcheck" not in sections
    assert times == {}


def test_it_has_a_time_of_its_own() -> None:
    sections, times = asked(Wanted(amcheck=True, amcheck_seconds=7))
    assert "amcheck" in sections
    assert times == {"physical": 7.0}


@pytest.mark.parametrize("way", ["probe", "probe_anew", "probe_greeted"])
def test_the_time_comes_to_the_probe(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Connection:
        ansible_name = "local"

        def reset(self) -> None:
            pass

    class Action:
        _connection = Connection()
        _play_context = None

        def _low_level_execute_command(self, cmd: str, *, in_data: bytes) -> dict[str, Any]:
            told.append(cmd)
            return {"rc": 0, "stdout": 'E2E-PROBE {"identity": {}}', "stderr": ""}

    getattr(Link(Action(), {}), way)("amcheck", physical=7)
    assert told[0].endswith(" amcheck deadline=6.5 physical=7")


@pytest.mark.parametrize(
    ("check", "wanted"), [("amcheck", True), ("data_checksums:n11", True), ("cluster_status", False)]
)
def test_only_the_checks_of_data_files_ask_for_it(check: str, wanted: bool) -> None:
    context = CompileContext("local", ("n11",), {"n11": ("database",)}, Parameters(), primary="n11")
    options = ValidateOptions(step="validate", checks=(check,))
    look = Validate().compile(options, context).plays[0]["tasks"][0]["observe"]
    assert look.get("amcheck", False) is wanted
