"""The writer of a test as far as it needs no server; what it writes is shown on real nodes."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_replay import ON, plan_of

from e2e_ansible.errors import HarnessError
from e2e_ansible.providers.base import Node
from e2e_ansible.run.integrity import IntegrityWriter


@pytest.fixture
def writer(tmp_path: Path) -> IntegrityWriter:
    return IntegrityWriter(plan_of("survives"), tmp_path / "history.jsonl")


def test_without_a_writer_no_row_is_known(writer: IntegrityWriter) -> None:
    with writer.still() as rows:
        assert rows is None
    writer.stop()
    with writer.still() as rows:
        assert rows is None


@pytest.mark.parametrize(
    ("labels", "variables"),
    [
        (("database",), {"ansible_host": "192.0.2.11"}),
        (("client",), {"ansible_host": "192.0.2.11", "e2e_client_password_file": "/secret"}),
    ],
    ids=["no password", "no database"],
)
def test_without_a_password_nothing_is_started(
    writer: IntegrityWriter, tmp_path: Path, labels: tuple[str, ...], variables: dict[str, object]
) -> None:
    node = Node(name="n11", labels=labels, power=ON, variables=variables)
    with pytest.raises(HarnessError, match="names no password file, so data_integrity cannot be shown"):
        writer.start([node])
    assert list(tmp_path.iterdir()) == []
