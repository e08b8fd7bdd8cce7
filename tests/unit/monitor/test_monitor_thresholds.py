"""Thresholds as a user gives them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from e2e_ansible.errors import UsageError
from e2e_ansible.monitor.thresholds import ALERT_TYPES, Thresholds, read_thresholds


def test_defaults_are_those_of_the_original() -> None:
    limits = read_thresholds()
    assert (limits.cluster_unavailable_seconds, limits.backup_failure_seconds) == (300, 600)
    assert limits.restore_stalled_seconds == 900


def test_words_go_above_the_file(tmp_path: Path) -> None:
    file = tmp_path / "limits.yaml"
    file.write_text("node_disk_percent: 70\nnode_cpu_percent: 60\n")
    found = read_thresholds(["NODE-DISK-PERCENT=80", "backup_age_hours=0.5"], file)
    assert found == Thresholds(node_disk_percent=80, node_cpu_percent=60, backup_age_hours=0.5)


@pytest.mark.parametrize(
    ("word", "said", "hint"),
    [
        (
            "node_disk_percentage=3",
            "no threshold 'node_disk_percentage'",
            "did you mean 'node_disk_percent'?",
        ),
        ("node_disk_percent", "'node_disk_percent' is no threshold", "name=value"),
        ("node_disk_percent=full", "node_disk_percent cannot be 'full'", "node_disk_percent=90"),
        ("node_disk_percent=101", "node_disk_percent cannot be '101'", "node_disk_percent=90"),
        ("node_down_seconds=-1", "node_down_seconds cannot be '-1'", "node_down_seconds=300"),
        ("node_down_seconds=nan", "node_down_seconds cannot be 'nan'", "node_down_seconds=300"),
    ],
)
def test_a_wrong_word_is_named_with_the_right_one(word: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_thresholds([word])
    assert said in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize("text", ["- a\n", "a: [", "\xff"])
def test_a_file_that_is_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "limits.yaml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=r"limits\.yaml"):
        read_thresholds([], file)
    with pytest.raises(UsageError, match="cannot be read"):
        read_thresholds([], tmp_path / "none.yaml")


def test_the_page_tells_every_threshold_and_every_alert() -> None:
    page = (Path(__file__).parents[3] / "docs" / "monitor.md").read_text()
    told = dict(re.findall(r"`(\w+)` \| ([\d.]+) \|$", page, re.MULTILINE))
    fields = Thresholds.model_fields
    assert {name: float(value) for name, value in told.items()} == {
        name: fields[name].default for name in fields
    }
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)) == set(ALERT_TYPES)
