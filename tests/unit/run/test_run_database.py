"""A connection string is looked at before anything starts, and is in no message."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.plan import Plan
from e2e_ansible.errors import InfrastructureError
from e2e_ansible.run.database import unmet_connections
from e2e_ansible.run.requirements import check_requirements
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.vocabulary import Vocabulary

SECRET = "s3cr3t"
URL = f"postgresql://user:{SECRET}@localhost/base"


def plan_of(connection: str) -> Plan:
    words = Vocabulary.default()
    text = f"parameters: {{database: existing, connection: {connection}}}\n"
    text += "workflow: [{step: custom_command, custom_command: [psql]}]\n"
    suite = parse_suite(text.encode(), "suite.yaml", vocabulary=words)
    return compile_suite(suite, words.step_types)[0]


def test_a_connection_that_is_there_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_DATABASE", URL)
    file = tmp_path / "connection"
    file.write_text(f"{URL}\n")
    for connection in ("{env: A_DATABASE}", f"{{file: {file}}}"):
        plan = plan_of(connection)
        assert list(unmet_connections([plan])) == []
        check_requirements([plan], tmp_path)
        assert plan.nodes == ()
        assert SECRET not in plan.to_json() + "".join(plan.files.values())
        assert "playbooks/collect-logs.yml" not in plan.files


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "the variable A_DATABASE is not set"),
        (" ", "the variable A_DATABASE is not set"),
        (f"mysql://{SECRET}", "neither a URL of PostgreSQL nor key=value words"),
        (f"host= password={SECRET}", "neither a URL of PostgreSQL nor key=value words"),
    ],
)
def test_one_that_cannot_be_used_is_told_with_its_line(
    value: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("A_DATABASE", raising=False)
    if value is not None:
        monkeypatch.setenv("A_DATABASE", value)
    with pytest.raises(InfrastructureError) as refused:
        check_requirements([plan_of("{env: A_DATABASE}")], tmp_path)
    text = str(refused.value)
    assert "suite.yaml:1: test suite: " in text
    assert said in text
    assert SECRET not in text


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    (said,) = unmet_connections([plan_of(f"{{file: {tmp_path}/missing}}")])
    assert "missing cannot be read: No such file" in said
