"""The nearest name."""

from __future__ import annotations

import pytest

from e2e_ansible.names import nearest, suggestion

STEPS = ["crash_node", "custom_command", "restart_node", "stop_node", "validate"]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("crash_nod", "crash_node"),
        ("Crash-Node", "crash_node"),
        ("reboot_node", "restart_node"),
        ("cmd", "custom_command"),
        ("verfy", "validate"),
        ("xyzzy", None),
        ("crash_node" * 20, None),
        ("", None),
    ],
)
def test_the_nearest_name_is_what_was_meant(wrong: str, right: str | None) -> None:
    assert nearest(wrong, STEPS) == right


def test_a_synonym_counts_only_where_its_meaning_is_known() -> None:
    assert nearest("amazon", STEPS) is None
    assert nearest("amazn", ["aws", "gcp"]) == "aws"


def test_without_a_near_name_the_known_ones_are_listed() -> None:
    assert suggestion("xyzzy", ["b", "a"]) == "known: a, b"
    assert suggestion("xyzzy", [f"n{index:02}" for index in range(30)]).endswith("n19, ...")
    assert suggestion("xyzzy", []) == ""
