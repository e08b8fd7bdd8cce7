"""`plan` and `run --dry-run` show the graph of a test, and say of a list what they ever said."""

from __future__ import annotations

import json
from pathlib import Path

from cli_desk import FINE, Desk

GRAPH = """\
workflow:
- {step: custom_command, name: image, custom_command: [x]}
- {step: custom_command, name: stroppy, custom_command: [x], needs: [], timeout_seconds: 900}
- {step: custom_command, name: ready, custom_command: [x]}
"""
WORDS = "critical path (*), at most 20m: 02-stroppy > 03-ready"


def test_a_plan_prints_its_graph(desk: Desk) -> None:
    Path("s.yaml").write_text(GRAPH)
    done = desk.call("plan", "s.yaml", "-o", "plan")
    assert done.code == 0
    assert "graph: 3 steps in 2 levels; at most 20m, one by one 25m" in done.out
    assert WORDS in done.out


def test_a_plan_of_a_list_is_one_line(desk: Desk) -> None:
    Path("s.yaml").write_text(FINE)
    assert len(desk.call("plan", "s.yaml", "-o", "plan").out.splitlines()) == 1


def test_a_dry_run_shows_the_graph_in_words_and_as_json(desk: Desk) -> None:
    Path("s.yaml").write_text(GRAPH)
    assert WORDS in desk.call("run", "s.yaml", "--dry-run").out
    made = json.loads(desk.call("run", "s.yaml", "--dry-run", "--json").out)
    assert made["graph"]["path"] == ["02-stroppy", "03-ready"]
    Path("l.yaml").write_text(FINE)
    assert "graph" not in json.loads(desk.call("run", "l.yaml", "--dry-run", "--json").out)


def test_a_step_that_is_not_there_is_no_edge(desk: Desk) -> None:
    Path("s.yaml").write_text(GRAPH.replace("needs: []", "needs: [imagee]"))
    done = desk.call("plan", "s.yaml", "-o", "plan")
    assert done.code == 2
    assert "did you mean 'image'?" in done.err
    assert not Path("plan").exists()


def test_an_export_for_awx_has_the_suite_after_its_tests(desk: Desk) -> None:
    test = {"workflow": [{"step": "custom_command", "custom_command": ["x"]}]}
    Path("s.json").write_text(json.dumps({"test_suites": {"one": test, "two": test}}))
    done = desk.call("awx", "export", "s.json", "--format", "json")
    assert done.code == 0
    made = json.loads(done.out)["awx_workflows"]
    assert [each["name"] for each in made] == ["e2e s: one", "e2e s: two", "e2e s"]
    inner = [node["unified_job_template"]["name"] for node in made[-1]["workflow_nodes"]]
    assert inner == ["e2e s: one", "e2e s: two"]
    alone = json.loads(desk.call("awx", "export", "s.json", "--format", "json", "--run-test", "one").out)
    assert [each["name"] for each in alone["awx_workflows"]] == ["e2e s: one"]
