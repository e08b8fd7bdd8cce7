"""What a program says of itself, what it would not take, and the words that each dialect gets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stroppy_data import catalogue, said

from e2e_ansible.load import stroppy_catalogue
from e2e_ansible.load.stroppy_catalogue import dialect_of, driver_options_of, version_of
from e2e_ansible.load.stroppy_words import problems, words

REQUEST: dict[str, Any] = {
    "workload": "tpcb/tx",
    "url": "postgres://e2e@n11:5432/load",
    "scale": 2,
    "vus": 4,
    "duration_seconds": 30.0,
}


@pytest.mark.parametrize("dialect", ["go", "k6"])
def test_a_dialect_is_known_by_the_help_of_its_program(dialect: str) -> None:
    assert dialect_of(said(dialect)["run --help"]) == dialect


@pytest.mark.parametrize("text", ["", "stroppy: command not found", "Usage: ls [OPTION]... [FILE]"])
def test_another_program_has_no_dialect(text: str) -> None:
    assert dialect_of(text) == ""


def test_a_version_is_told_unless_the_program_does_not_know_it() -> None:
    assert version_of(said("k6")["version"]) == "v5.7.3"
    assert version_of(said("go")["version"]) == ""


def test_the_options_of_drivers_are_those_of_its_help() -> None:
    go, k6 = (driver_options_of(said(dialect)["help drivers"]) for dialect in ("go", "k6"))
    assert go == catalogue("go")["driver_options"]
    assert k6.keys() - go.keys() == {"defaultInsertMethod"}
    assert go["driverType"]["values"] == ["postgres", "mysql", "picodata", "ydb", "noop", "csv"]
    assert go["bulkSize"]["type"] == "int"


class Recorded(stroppy_catalogue._Asked):
    """A program that says what was recorded."""

    def __init__(self, dialect: str) -> None:
        super().__init__("stroppy", "/")
        self.said = said(dialect)

    def done(self, words: Any) -> Any:
        class Done:
            stdout = self.said.get(" ".join(words), "")
            stderr = "INFO Skipping step 'load_data'\n" if words[0] == "run" else ""

        return Done()


def test_the_catalogue_of_the_go_line_has_types_and_steps() -> None:
    asked = Recorded("go")
    found = stroppy_catalogue._of_go(asked, json.loads(asked.said["probe -o json"]))
    assert found.keys() == catalogue("go")["workloads"].keys()
    assert found["tpcb/tx"]["params"] == catalogue("go")["workloads"]["tpcb/tx"]["params"]
    assert found["tpcb/tx"]["steps"] == ["load_data", "workload"]


def test_the_catalogue_of_the_k6_line_has_its_declared_variables() -> None:
    asked = Recorded("k6")
    found = stroppy_catalogue._of_k6(asked, json.loads(asked.said["probe -o json"]))
    assert found.keys() == catalogue("k6")["workloads"].keys()
    assert found["tpcb/tx"] == catalogue("k6")["workloads"]["tpcb/tx"]
    types = {param["name"]: param["type"] for param in found["tpcb/tx"]["params"]}
    assert types["pg-unlogged"] == "bool"
    assert types["duration"] == "duration"
    assert types["vus"] == "int"


def test_the_same_request_speaks_either_dialect() -> None:
    go = words(REQUEST, catalogue("go"))
    assert go[:6] == ["run", "tpcb/tx", "-d", "pg", "-D", "url=postgres://e2e@n11:5432/load"]
    assert set(go[6:]) == {"--scale-factor=2", "--vus=4", "--duration=30s", "--executor=constant-vus"}
    k6 = words(REQUEST, catalogue("k6"))
    assert k6[6:] == [
        *("-e", "SCALE_FACTOR=2", "-e", "VUS=4", "-e", "DURATION=30s"),
        *("--", "--summary-export", "summary.json"),
    ]


def test_steps_driver_options_and_any_parameter_reach_it() -> None:
    request = {
        **REQUEST,
        "config": True,
        "steps": ["load_data", "workload"],
        "driver_options": {"bulkSize": 100, "insertProgress.enabled": False},
        "params": {"retry-attempts": 5},
    }
    found = words(request, catalogue("go"))
    assert found[2:4] == ["-f", "stroppy-config.json"]
    assert found[found.index("--steps") + 1] == "load_data,workload"
    assert "bulkSize=100" in found
    assert "insertProgress.enabled=false" in found
    assert "--retry-attempts=5" in found
    assert "RETRY_ATTEMPTS=5" in words(request, catalogue("k6"))


def test_iterations_have_the_name_of_the_dialect() -> None:
    request = {"workload": "tpcb/tx", "iterations": 7}
    assert "--iterations=7" in words(request, catalogue("go"))
    assert "ITER=7" in words(request, catalogue("k6"))
    assert problems(request, catalogue("k6")) == []


@pytest.mark.parametrize("dialect", ["go", "k6"])
@pytest.mark.parametrize(
    ("wrong", "path", "message", "hint"),
    [
        ({"workload": "tpcd/tx"}, ("workload",), "no workload 'tpcd/tx'", "did you mean 'tpc"),
        ({"params": {"retry-atempts": 3}}, ("params", "retry-atempts"), "no parameter", "retry-attempts"),
        ({"params": {"load-workers": "many"}}, ("params", "load-workers"), "a whole number, not 'many'", ""),
        ({"steps": ["load_date"]}, ("steps", 0), "no step 'load_date'", "load_data"),
        ({"no_steps": ["x"]}, ("no_steps", 0), "no step 'x'", "workload"),
        ({"driver_options": {"errorMod": "log"}}, ("driver_options", "errorMod"), "no option", "errorMode"),
        (
            {"driver_options": {"errorMode": "logg"}},
            ("driver_options", "errorMode"),
            "cannot be 'logg'",
            "log",
        ),
        ({"driver_options": {"bulkSize": "x"}}, ("driver_options", "bulkSize"), "a whole number", ""),
        ({"executor": "shared-iterations"}, ("executor",), "has no duration", "constant-vus"),
    ],
)
def test_what_it_would_not_take_is_told_with_its_place(
    dialect: str, wrong: dict[str, Any], path: tuple[Any, ...], message: str, hint: str
) -> None:
    (found,) = problems({**REQUEST, **wrong}, catalogue(dialect))
    assert found.path == path
    assert message in found.message
    assert hint in found.hint


def test_what_one_dialect_cannot_do_is_refused() -> None:
    request = {**REQUEST, "driver_options": {"defaultInsertMethod": "native"}}
    assert problems(request, catalogue("k6")) == []
    assert "go dialect" in problems(request, catalogue("go"))[0].message
    timeout = {**REQUEST, "params": {"query-timeout": "5s"}}
    assert problems(timeout, catalogue("go")) == []
    assert "k6 dialect" in problems(timeout, catalogue("k6"))[0].message
    simple = {"workload": "simple", "vus": 2}
    assert "takes no parameters" in problems(simple, catalogue("k6"))[0].message


def test_a_good_request_has_no_problems() -> None:
    for dialect in ("go", "k6"):
        assert problems(REQUEST, catalogue(dialect)) == []


@pytest.mark.parametrize("dialect", ["go", "k6"])
def test_a_wrong_workload_does_not_hide_what_else_is_wrong(dialect: str) -> None:
    wrong = {
        "workload": "tpcd/tx",
        "params": {"retry-atempts": 3, "load-workers": "many"},
        "steps": ["load_date", "workload"],
        "driver_options": {"errorMod": "log"},
    }
    found = problems({**REQUEST, **wrong}, catalogue(dialect))
    assert [one.path for one in found] == [
        ("workload",),
        ("params", "retry-atempts"),
        ("params", "load-workers"),
        ("steps", 0),
        ("driver_options", "errorMod"),
    ]


@pytest.mark.parametrize("dialect", ["go", "k6"])
def test_of_a_workload_that_is_not_known_only_the_name_is_wrong(dialect: str) -> None:
    assert [one.path for one in problems({**REQUEST, "workload": "tpcd"}, catalogue(dialect))] == [
        ("workload",)
    ]
