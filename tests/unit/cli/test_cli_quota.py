"""`e2e-ansible quota` for people: a table that fits 80 columns, and commands that it does not break."""

from __future__ import annotations

import pytest

from e2e_ansible.cli.quota import _print
from e2e_ansible.quota.amounts import Amounts, Budget
from e2e_ansible.quota.holder import me
from e2e_ansible.quota.reservation import Claim, Held, Waiting
from e2e_ansible.report.words import clean

RUN = "20261121-120000-abcdef"
AMOUNTS = Amounts(12, millicpus=24_000, memory_mb=2_000_000, disk_mb=700_000)
CLAIM = Claim(
    "a-very-long-name-of-a-test-that-is-cut-here-abcdef", "libvirt", RUN, "a" * 60, AMOUNTS, f"/long/{RUN}"
)


def test_its_rows_fit_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    held = [Held(CLAIM, 1, 0.0, me(), True), Held(CLAIM, 2, 0.0, "0 0 gone", False)]
    waiting = [Waiting(1, CLAIM, 0.0, me(), Budget(), False)]
    _print(held, waiting, Budget(nodes=24), AMOUNTS)
    lines = clean(capsys.readouterr().out).splitlines()
    table = [line for line in lines if not line.startswith(("give back:", "budget:"))]
    assert max(map(len, table)) <= 80
    text = " ".join(" ".join(table).split())
    assert "24 1953 GiB 684 GiB" in text
    assert all(words in text for words in ("kept", "left by a run that died", "waits, number 1"))
    assert [line for line in lines if line.startswith("give back:")] == [
        f"give back: e2e-ansible destroy {RUN} --runs /long"
    ]
