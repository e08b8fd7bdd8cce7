"""Two versions of PostgreSQL side by side, each on nodes of another release of Debian; and what is refused before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from real_runs import Desk, Done, traces, write_suite

pytestmark = pytest.mark.nodes

SHOWN = (
    "SELECT current_setting('server_version'), current_setting('shared_buffers'), current_setting('work_mem')"
)
ASK = ["runuser", "-u", "postgres", "--", "psql", "-XAtd", "postgres", "-F", ",", "-c", SHOWN]
NOWHERE = "http://127.0.0.1:1"
SMALL = {"shared_buffers": "16MB", "work_mem": "1MB"}
RELEASE = {"15": "12", "17": "13"}


def asking(name: str, command: list[str]) -> dict[str, Any]:
    """A command on the node whose output is kept under this name."""
    step = {"step": "custom_command", "custom_command": command, "targets": ["n11"]}
    return {**step, "name": name, "register": name}


def test_a_matrix_over_two_versions_runs_side_by_side(desk: Desk) -> None:
    """Debian 12 and 13 at the same time; the servers say their versions and settings themselves."""
    workflow = [
        {"step": "deploy"},
        asking("server", ASK),
        asking("debian", ["cat", "/etc/debian_version"]),
        {"step": "validate", "checks": ["cluster_status", "data_integrity"]},
        {"step": "destroy"},
    ]
    parameters = {
        "cluster_size": 1,
        "database": "standalone",
        "admin_ui": False,
        "postgres_version": "${matrix.version}",
        "postgres_settings": "${matrix.settings}",
    }
    matrix = {"version": [15, 17], "settings": {"small": SMALL}}
    write_suite(
        desk.folder / "suite.json", v={"matrix": matrix, "parameters": parameters, "workflow": workflow}
    )
    done = desk.call("run", "suite.json", "--parallel", "2")
    result = desk.result()
    assert done.code == 0, [test.error for test in result.tests]
    assert [test.name for test in result.tests] == [
        "v[version=15,settings=small]",
        "v[version=17,settings=small]",
    ]
    for test, version in zip(result.tests, ("15", "17"), strict=True):
        said = {step.id.partition("-")[2]: step.registered for step in test.workflow_steps if step.registered}
        server, *settings = str(said["server"]["stdout"]).strip().split(",")
        assert server.startswith(f"{version}.")
        assert settings == ["16MB", "1MB"]
        assert str(said["debian"]["stdout"]).startswith(f"{RELEASE[version]}.")
    first, second = result.tests
    assert max(first.started, second.started) < min(first.ended, second.ended)
    assert traces(desk.newest()) == []


def refused(desk: Desk, *words: str, **parameters: Any) -> Done:
    """A run of one deploy that is refused, with nothing started."""
    given = {"cluster_size": 1, "database": "standalone", **parameters}
    text = json.dumps({"parameters": given, "workflow": [{"step": "deploy"}]}, indent=1)
    (desk.folder / "suite.json").write_text(text)
    done = desk.call(*words, "suite.json")
    assert done.code
    assert not desk.runs.exists()
    return done


def test_a_version_that_nobody_has_is_refused_before_anything_starts(desk: Desk) -> None:
    desk.variables["E2E_PGDG_MIRROR"] = NOWHERE
    done = refused(desk, "run", postgres_version=16)
    assert done.code == 4
    assert "suite.json:1: test suite: PostgreSQL 16 comes from PGDG only" in done.said
    assert "Debian 12 has 15, Debian 13 has 17" in done.said
    assert "nothing was started" in done.said
    told = desk.call("validate", "suite.json")
    assert (told.code, "PostgreSQL 16 comes from PGDG, which is asked for it" in told.said) == (0, True)
    assert "PostgreSQL 12 cannot be installed" in refused(desk, "validate", postgres_version=12).said


def test_a_setting_that_the_version_does_not_have_is_refused_before_anything_starts(desk: Desk) -> None:
    done = refused(desk, "run", postgres_version=15, postgres_settings={"summarize_wal": True})
    assert "PostgreSQL 15 has no setting 'summarize_wal'" in done.said
    assert "PostgreSQL 17 has it" in done.said
    done = refused(desk, "run", postgres_version=17, postgres_settings={"shared_buffers": "64MX"})
    assert "suite.json:7:" in done.said
    assert "'MX' is no unit of it" in done.said
