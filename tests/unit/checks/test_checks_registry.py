"""Names, arguments, user functions and entry points: found, refused with a reason, or unknown."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest
from check_situations import situation

from e2e_ansible.checks import (
    Check,
    Outcome,
    ValidationRegistry,
    checks,
    evaluate,
    parse,
    passed,
    registry,
    validation_registry,
)
from e2e_ansible.errors import HarnessError, UsageError

BUILT_IN = (
    "cluster_status",
    "cluster_status_stopped",
    "cluster_degraded",
    "cluster_critical",
    "all_nodes_running",
    "ssh_connectivity",
    "vms_powered_off",
    "node_status",
    "database_running",
    "database_degraded",
    "database_down",
    "admin_ui_accessible",
    "data_integrity",
    "amcheck",
    "data_checksums",
    "patroni_leader",
    "patroni_healthy",
    "no_lost_rows",
    "outage_writes",
    "outage_reads",
    "bank_sum",
    "linearizable",
    "serializable",
    "no_stale_reads",
    "one_writer",
    "backup_recent",
    "backup_healthy",
    "exporter_up",
    "proxy_writes",
    "site_primary",
    "site_standby",
    "site_lag",
    "site_fenced",
    "site_absent",
)


def yes(_context: dict[str, Any]) -> bool:
    return True


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    with registry.isolated():
        yield


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Objects that installed packages bring; an exception is raised on loading."""
    brought: dict[str, Any] = {}

    def load(point: EntryPoint) -> Any:
        thing = brought[point.name]
        if isinstance(thing, BaseException):
            raise thing
        return thing

    def found(group: str) -> list[EntryPoint]:
        return [EntryPoint(name, f"package:{name}", group) for name in brought]

    monkeypatch.setattr(EntryPoint, "load", load)
    monkeypatch.setattr(registry, "entry_points", found)
    return brought


def test_the_built_in_checks_are_the_documented_ones() -> None:
    assert set(checks()) == set(BUILT_IN)
    assert all(check.description for check in checks().values())


def test_flags_of_the_built_in_checks() -> None:
    assert [name for name, check in checks().items() if check.needs_integrity] == [
        "data_integrity",
        "no_lost_rows",
    ]
    assert [name for name, check in checks().items() if check.needs_admin_ui] == ["admin_ui_accessible"]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("cluster_status", ()),
        ("node_status:n12", ("n12",)),
        ("node_status:n12:stopped", ("n12", "stopped")),
    ],
)
def test_parse(text: str, arguments: tuple[str, ...]) -> None:
    assert parse(text, ("n11", "n12")) == (checks()[text.partition(":")[0]], arguments)


def test_parse_without_nodes_takes_any_node() -> None:
    assert parse("node_status:n77")[1] == ("n77",)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("cluster_stauts", "no check named 'cluster_stauts'", "did you mean cluster_status?"),
        ("zzz", "no check named", "known are: admin_ui_accessible"),
        ("", "no check named", "known are"),
        ("cluster_status:n11", "has 1 arguments", "write cluster_status"),
        ("node_status", "has 0 arguments", "write node_status:<node>[:<state>]"),
        ("node_status:n11:running:x", "has 3 arguments", "write node_status:<node>[:<state>]"),
        ("node_status:n21", "'n21' is no node", "did you mean n12?"),
        ("node_status:", "'' is no node", "known are: n11, n12"),
        ("node_status:n11:stoped", "'stoped' is no state", "did you mean stopped?"),
        ("outage_writes", "has 0 arguments", "write outage_writes:<seconds>[:<client>]"),
        ("outage_writes:soon", "'soon' is no number of seconds", "write outage_writes:5"),
        ("outage_writes:nan", "'nan' is no number of seconds", "write outage_writes:5"),
        ("outage_reads:-1", "'-1' is no number of seconds", "write outage_reads:5"),
        ("node_status:n11:", "'' is no state", "known are: running, stopped, unreachable"),
    ],
)
def test_parse_refuses_with_the_nearest_right_name(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse(text, ("n11", "n12"))
    assert hint in caught.value.hint


@pytest.mark.parametrize("where", [ValidationRegistry, validation_registry], ids=["class", "instance"])
def test_a_registered_function_is_a_check(where: Any) -> None:
    where.register("my_custom_check", "Mine", yes, allow_failure=True)
    check = parse("my_custom_check")[0]
    assert (check.description, check.allow_failure) == ("Mine", True)
    mine = registry.custom("my_custom_check")
    assert mine is not None
    assert mine.run({}) == passed("my_custom_check returned True")
    assert registry.custom("cluster_status") is None
    assert registry.custom("nobody") is None


def test_a_custom_check_is_never_a_pass_by_observation_alone() -> None:
    ValidationRegistry.register("mine", "", yes)
    outcome = evaluate("mine", situation())
    assert outcome.passed is None
    assert "no outcome was recorded" in outcome.message


@pytest.mark.parametrize(
    ("answer", "expected", "says"),
    [
        (True, True, "returned True"),
        (False, False, "returned False"),
        (None, None, "NoneType"),
        (1, None, "int"),
        ("yes", None, "str"),
        (ValueError("boom"), None, "ValueError: boom"),
    ],
)
def test_outcomes_of_custom_functions(answer: Any, expected: bool | None, says: str) -> None:
    def function(_context: dict[str, Any]) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    outcome = registry.CustomCheck("mine", "", function).run({})
    assert outcome.passed is expected
    assert says in outcome.message


@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        ("mine", yes, "registered already"),
        ("cluster_status", yes, "built in"),
        ("two words", yes, "no name"),
        ("with:colon", yes, "no name"),
        ("1st", yes, "no name"),
        ("", yes, "no name"),
        (None, yes, "no name"),
        ("x" * 81, yes, "no name"),
        ("other", "not a function", "cannot be called"),
    ],
)
def test_bad_registrations_are_refused(name: Any, function: Any, message: str) -> None:
    ValidationRegistry.register("mine", "", yes)
    with pytest.raises(UsageError, match=message):
        ValidationRegistry.register(name, "", function)


def test_context_of_a_custom_function() -> None:
    look = situation().observation
    context = registry.custom_context(
        deploy_dir="run/one", observation=look, deployment_id="d1", parameters={"cluster_size": 3}
    )
    assert set(context) == {"deploy_dir", "observation", "nodes", "deployment_id", "parameters"}
    assert context["observation"] is look
    assert [node["node"] for node in context["nodes"]] == ["n11", "n12", "n13"]
    assert context["nodes"][0]["postgres"]["writable"] is True


def test_isolated_forgets() -> None:
    with registry.isolated():
        ValidationRegistry.register("inner", "", yes)
        assert "inner" in checks()
    assert "inner" not in checks()


@pytest.mark.parametrize(
    ("returned", "says"),
    [(True, "no outcome"), (None, "no outcome"), (Outcome("yes", ""), "no outcome"), (1 / 3, "no outcome")],  # type: ignore[arg-type]
)
def test_what_is_no_outcome_is_unknown(points: dict[str, Any], returned: Any, says: str) -> None:
    points["odd"] = Check("odd", "", lambda *_: returned)
    outcome = evaluate("odd", situation())
    assert outcome.passed is None
    assert says in outcome.message


def test_an_exception_in_a_check_is_unknown(points: dict[str, Any]) -> None:
    def boom(*_: Any) -> Outcome:
        raise KeyError("n11")

    points["boom"] = Check("boom", "", boom)
    outcome = evaluate("boom", situation())
    assert (outcome.passed, outcome.message) == (None, "boom could not be decided: KeyError: 'n11'")


def test_a_name_that_nobody_knows_is_unknown() -> None:
    assert evaluate("nobody", situation()).passed is None


def test_entry_points_bring_one_check_several_or_a_module(points: dict[str, Any]) -> None:
    points["one"] = Check("one", "", lambda *_: passed("one"))
    points["two"] = [
        Check("two", "", lambda *_: passed("two")),
        Check("three", "", lambda *_: passed("three")),
    ]
    points["module"] = ModuleType("module")
    assert set(checks()) == {*BUILT_IN, "one", "two", "three"}
    assert evaluate("three", situation()) == passed("three")
    with pytest.raises(UsageError, match="registered already"):
        ValidationRegistry.register("two", "", yes)


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (ImportError("no such module"), "ImportError: no such module"),
        (42, "TypeError"),
        ("text", "something else than well named checks"),
        ([Check("bad name", "", lambda *_: passed(""))], "something else than well named checks"),
        (Check("cluster_status", "", lambda *_: passed("")), "second check cluster_status"),
    ],
)
def test_a_broken_entry_point_is_named(points: dict[str, Any], thing: Any, message: str) -> None:
    points["culprit"] = thing
    for _ in range(2):
        with pytest.raises(HarnessError, match=message) as caught:
            checks()
        assert "culprit = package:culprit" in str(caught.value)


def test_two_entry_points_cannot_bring_one_name(points: dict[str, Any]) -> None:
    points["one"] = points["two"] = Check("same", "", lambda *_: passed(""))
    with pytest.raises(HarnessError, match=r"two = package:two .* second check same"):
        checks()


def test_a_name_cannot_be_registered_and_brought(points: dict[str, Any]) -> None:
    ValidationRegistry.register("same", "", yes)
    points["one"] = Check("same", "", lambda *_: passed(""))
    with pytest.raises(HarnessError, match="both registered and brought by an entry point: same"):
        checks()


def test_a_broken_entry_point_makes_evaluation_unknown(points: dict[str, Any]) -> None:
    points["culprit"] = ImportError("gone")
    outcome = evaluate("cluster_status", situation())
    assert outcome.passed is None
    assert "culprit" in outcome.message


def test_importing_checks_imports_neither_ansible_nor_psycopg() -> None:
    program = (
        "import sys, e2e_ansible.checks.custom, e2e_ansible.oracle.history, e2e_ansible.oracle.process\n"
    )
    program += (
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'ansible', 'psycopg', 'yaml'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
