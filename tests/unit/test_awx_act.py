"""A step from plain variables, as a job of AWX gets them, with all that a person can get wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.awx.act import read_step
from e2e_ansible.awx.carried import Told
from e2e_ansible.awx.clients import client_folder, integrity_node
from e2e_ansible.awx.hold import hold
from e2e_ansible.awx.job_variables import Asked
from e2e_ansible.errors import UsageError


def act(step: str, **more: Any) -> dict[str, Any]:
    return read_step(Asked(step=step, **more))


@pytest.mark.parametrize(
    ("asked", "words", "hint"),
    [
        ({"step": "crash_nod"}, "there is no step 'crash_nod'", "did you mean 'crash_node'?"),
        (
            {"step": "crash_node", "options": {"target_node": "n99"}},
            "there is no node 'n99'",
            "known: n11, n12, n13",
        ),
        (
            {"step": "crash_node", "options": {"target_nod": "n11"}},
            "Extra inputs are not permitted",
            "did you mean 'target_node'?",
        ),
        ({"step": "crash_node"}, "target_node: Field required", ""),
        (
            {"step": "validate", "options": {"checks": ["cluster_statu"]}},
            "there is no check 'cluster_statu'",
            "did you mean 'cluster_status'?",
        ),
        ({"step": "init", "parameters": {"cluster_size": 0}}, "e2e_parameters", ""),
        (
            {"step": "deploy", "parameters": {"database": "patroni", "sites": {"site_a": 1, "site_b": 1}}},
            "tests with sites are not run by jobs of AWX",
            "e2e-ansible run SUITE",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_nearest_right(asked: dict[str, Any], words: str, hint: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        read_step(Asked(**asked))
    assert caught.value.hint == hint


def test_options_may_be_text_in_yaml_or_json() -> None:
    expected = act("custom_command", options={"custom_command": ["echo", "5", ""]})
    assert expected["command"]["argv"] == ["echo", "5", ""]
    assert act("custom_command", options='{"custom_command": ["echo", "5", ""]}') == expected
    assert act("custom_command", options="custom_command: [echo, '5', '']") == expected
    with pytest.raises(ValueError, match="neither YAML nor JSON"):
        act("custom_command", options="{[")


def test_output_of_earlier_steps_is_put_in_as_text() -> None:
    command = {
        "custom_command": ["x", "${steps.who.stdout}, $${steps.who.stdout}, ${steps.who.json} {{ 7 }}"]
    }
    who = {"stdout": '{"a":1}', "stderr": "", "rc": 0}
    found = act("custom_command", options=command, registered={"who": who})
    assert found["command"]["argv"] == ["x", '{"a":1}, ${steps.who.stdout}, {"a": 1} {{ 7 }}']
    with pytest.raises(UsageError, match="no earlier step has registered 'who'"):
        act("custom_command", options=command, registered={"whom": who})


def test_a_command_for_many_nodes_is_the_same_command() -> None:
    nodes = [f"n{number}" for number in range(11, 36)]
    found = act(
        "custom_command",
        options={"custom_command": ["true"], "targets": nodes},
        parameters={"cluster_size": 25},
    )
    assert (found["command"]["argv"], found["hosts"]) == (["true"], nodes)


def seen(node: str, **more: Any) -> dict[str, Any]:
    return {"node": node, "power": "off", "reachable": False, **more}


def test_checks_are_held_as_the_judge_holds_them() -> None:
    asked = Asked(
        step="validate",
        parameters={"cluster_size": 2},
        options={"checks": ["cluster_status_stopped"], "allow_failures": ["all_nodes_running"]},
    )
    off = hold(asked, [seen("n11"), seen("n12")], 0)
    assert off["held"] is True
    assert "all_nodes_running does not hold" in off["said"][1]
    half = hold(asked, [seen("n11"), seen("n12", power="on")], 0)
    assert half["held"] is False
    assert hold(asked, [seen("n11")], 0)["held"] is False, "a node that nobody looked at is no pass"


def test_nodes_with_other_names_can_be_expected() -> None:
    asked = Asked(step="validate", options={"checks": ["vms_powered_off"]})
    assert hold(asked, [seen("db1")], 0, ["db1"])["held"] is True
    assert hold(asked, [seen("db1")], 0, ["db1", "db2"])["held"] is False


# ---- clients


def test_the_implicit_client_is_on_a_node_that_drives_load_or_on_the_last_one() -> None:
    assert integrity_node({"n11": ("database",), "n12": ("database",)}) == "n12"
    assert integrity_node({"n11": ("database",), "c11": ("client",), "c12": ("client",)}) == "c11"
    client = act("deploy", writer=True, parameters={"cluster_size": 3, "clients": 1})["client"]
    assert (client["act"], client["name"], client["on"]) == ("start", "integrity", "c11")
    assert client["hosts"] == ["n11", "n12", "n13"]
    alone = act("deploy", writer=True, parameters={"cluster_size": 3, "database": "standalone"})["client"]
    assert (alone["on"], alone["hosts"]) == ("n13", ["n11"])
    assert act("deploy")["client"] == {}


def test_a_client_on_the_controller_is_refused_with_what_to_do() -> None:
    with pytest.raises(UsageError, match="would live on the controller") as caught:
        act("start_client", options={"client": "load"})
    assert "place: client" in caught.value.hint


def test_a_fault_knows_the_nodes_that_it_leaves_alone() -> None:
    found = act("fault", options={"fault": "partition", "target": "n12", "name": "cut"})
    assert (found["hosts"], found["others"]) == (["n12"], ["n11", "n13"])
    assert found["vars"]["fault_title"] == "cut"
    assert act("stop_node", options={"target_node": "n12"})["others"] == []


def test_what_is_open_is_healed_where_the_ledger_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2E_ANSIBLE_HOME", str(tmp_path))
    assert act("heal_open", deployment="d")["hosts"] == []
    line = {"at": 1, "fault_id": "cut/n12", "event": "intended", "node": "n12", "heal": {"kind": "shell"}}
    (tmp_path / "faults").mkdir()
    ledger = tmp_path / "faults/d.jsonl"
    ledger.write_text(json.dumps(line) + "\n")
    assert act("heal_open", deployment="d")["hosts"] == ["n12"]
    healed = {"at": 2, "fault_id": "cut/n12", "event": "healed", "proved": True}
    ledger.write_text(json.dumps(line) + "\n" + json.dumps(healed) + "\n")
    assert act("heal_open", deployment="d")["hosts"] == []


def test_rows_are_held_against_what_was_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_ANSIBLE_HOME", str(tmp_path))
    folder = client_folder(tmp_path, "d")
    folder.mkdir(parents=True)
    lines = [
        {"event": "start", "wall": 1, "mono": 1, "workload": "append"},
        *({"event": "invoked", "wall": 2, "mono": 2, "id": row, "op": "append"} for row in (1, 2)),
        *({"event": "ok", "wall": 3, "mono": 3, "id": row, "op": "append"} for row in (1, 2)),
    ]
    data = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "history.jsonl").write_text(data)
    asked = Asked(
        step="validate",
        deployment="d",
        parameters={"cluster_size": 1},
        options={"checks": ["data_integrity"]},
    )
    postgres = {"installed": True, "accepting": True, "writable": True, "in_recovery": False}
    node = {"node": "n11", "power": "on", "reachable": True}

    def held(rows: list[list[int]], told: Told) -> tuple[bool, str]:
        found = hold(asked, [{**node, "postgres": {**postgres, "integrity": rows}}], 0, told=told)
        return found["held"], found["said"][-1]

    told = Told(sizes={"integrity": len(data)}, still=True, last=2)
    assert held([[1, 2]], told)[0] is True
    lost = held([[1, 1]], told)
    assert lost == (False, "data_integrity does not hold: n11 lacks 1 of 2 acknowledged rows: 2")
    assert held([[1, 1]], told.model_copy(update={"last": 1}))[0] is True, "later rows do not count"
    assert "is not decided" in held([[1, 2]], Told())[1], "nothing was fetched, so nothing is shown"
    assert held([[1, 2]], told.model_copy(update={"trouble": "the client has died"}))[0] is False


# ---- loads and artifacts

PATRONI = {"cluster_size": 3, "database": "patroni", "clients": 1}


def test_a_load_makes_its_database_and_knows_all_that_the_cluster_has() -> None:
    options = {"scale": 1, "clients": 2, "limits": {"p99_ms": 5}}
    found = act("run_pgbench", options=options, parameters=PATRONI, deployment="d")
    assert (found["act"], found["place"], found["joins"]) == ("load", "c11", True)
    assert found["hosts"] == ["n11", "n12", "n13", "c11"]
    assert found["makes"]["hosts"] == ["n11", "n12", "n13"]
    init, load = found["loads"]
    assert (init["measure"], load.get("measure", True)) == (False, True)
    assert load["database"] == {"hosts": ["n11", "n12", "n13"], "port": 5432, "user": "e2e", "name": "load"}
    assert found["limits"] == {"p99_ms": 5.0}
    assert act("stop_node", options={"target_node": "n12"})["folders"] == []


def test_nothing_is_made_on_a_node_that_is_down_but_its_address_is_known() -> None:
    found = act("run_pgbench", parameters=PATRONI, away=("n11",))
    assert found["makes"]["hosts"] == ["n12", "n13"]
    assert found["others"] == ["n11"]
    assert "n11" in found["loads"][-1]["database"]["hosts"]


def test_a_load_for_a_database_that_exists_runs_in_the_container_of_its_job() -> None:
    there = {"database": "existing", "connection": {"env": "DATABASE_URL"}}
    found = act("run_pgbench", parameters=there)
    assert (found["hosts"], found["place"], found["joins"]) == (["localhost"], "localhost", False)
    assert found["makes"] == {"hosts": []}
    assert found["loads"][-1]["database"] == {"connection": {"env": "DATABASE_URL"}}
    both = act("run_pgbench", options={"on": "controller"}, parameters={"cluster_size": 1})
    assert (both["hosts"], both["joins"]) == (["n11", "localhost"], True)


def test_texts_of_a_load_are_data_and_its_files_are_found_by_the_job() -> None:
    options = {"tool": "pgbench", "command": ["x", "{{ 7 }}"], "copies": {"a": "b.sql"}}
    (load,) = act("run_load", options=options, parameters=PATRONI)["loads"]
    assert load["argv"] == ["x", "{{ 7 }}"]
    assert load["copies"] == {"a": "b.sql"}
    assert "copies_from" not in load, "a template of this machine; the task file says where"


def test_an_artifact_is_made_by_a_job_and_brought_to_nodes_by_another() -> None:
    parameters = {**PATRONI, "stroppy": {"archive": "s.tar.gz"}}
    options = {"artifact": "stroppy"}
    built = act("build_artifact", options=options, parameters=parameters)
    assert (built["act"], built["hosts"], built["become"]) == ("artifact", ["localhost"], False)
    assert built["artifact"] == {"program": {"state": "built", "archive": "s.tar.gz"}}
    loaded = act("load_artifact", options={**options, "targets": ["run_stroppy"]}, parameters=parameters)
    assert (loaded["hosts"], loaded["joins"], loaded["become"]) == (["c11"], True, True)
    assert loaded["artifact"]["program"]["state"] == "loaded"
    packages = {"artifact": "packages", "packages": ["redis-server"]}
    elsewhere = act("build_artifact", options=packages, parameters=parameters, provider="hetzner")
    assert (elsewhere["hosts"], elsewhere["become"]) == (["n11"], True)
    assert elsewhere["artifact"]["packages"]["names"] == ["redis-server"]


def test_a_program_that_notes_its_lines_gets_the_folder_for_them() -> None:
    source = {"commit": "d8fb5897ca07", "coverage": True}
    parameters = {**PATRONI, "stroppy": source, "coverage": {"directory": "/srv/lines"}}
    assert act("install", options={"service": "stroppy"}, parameters=parameters)["folders"] == ["/srv/lines"]
    load = act("run_stroppy", options={"workload": "tpcb/tx"}, parameters=parameters)["loads"][0]
    assert load["env"]["GOCOVERDIR"] == "/srv/lines"
    without = {**PATRONI, "stroppy": {"commit": "d8fb5897ca07"}}
    assert act("install", options={"service": "stroppy"}, parameters=without)["folders"] == []
