"""What load steps become: where they run, which database they find, what is sent, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from e2e_ansible.errors import UsageError
from e2e_ansible.load.address import address
from e2e_ansible.steps.base import CompileContext, CompiledStep, Unsafe
from e2e_ansible.steps.judgement import Replay
from e2e_ansible.steps.run_load import RunLoad, RunLoadOptions
from e2e_ansible.steps.run_pgbench import RunPgbench, RunPgbenchOptions
from e2e_ansible.suite.parameters import Parameters

DATABASES = ("n11", "n12")


def context(clients: tuple[str, ...] = ("c11",), **parameters: Any) -> CompileContext:
    labels = {**dict.fromkeys(DATABASES, ("database",)), **dict.fromkeys(clients, ("client",))}
    found = Parameters.model_validate(parameters)
    return CompileContext("local", (*DATABASES, *clients), labels, found, "n11")


def pgbench(made: CompileContext, **options: Any) -> CompiledStep:
    return RunPgbench().compile(RunPgbenchOptions(step="run_pgbench", **options), made)


def tasks(step: CompiledStep) -> list[dict[str, Any]]:
    """The arguments of each use of the action `load`."""
    return [task["load"] for play in step.plays for task in play["tasks"] if "load" in task]


def test_it_runs_on_the_first_client_and_creates_its_database_where_writes_are_taken() -> None:
    step = pgbench(context())
    create, run = step.plays
    assert (create["hosts"], run["hosts"], step.hosts) == ("n11", "c11", ("c11",))
    assert tasks(step)[-1]["database"] == {"hosts": ["n11"], "port": 5432, "user": "e2e", "name": "load"}
    assert step.replay is Replay.NEVER
    assert step.judgement.load is not None


def test_of_a_cluster_with_failover_any_node_may_take_writes() -> None:
    step = pgbench(context(database="patroni"), database="other")
    assert step.plays[0]["hosts"] == list(DATABASES)
    assert tasks(step)[-1]["database"]["hosts"] == list(DATABASES)
    assert tasks(step)[-1]["database"]["name"] == "other"


def test_a_proxy_or_an_address_is_used_when_that_is_said() -> None:
    step = pgbench(context(database="patroni", proxy="haproxy"), via="proxy")
    assert tasks(step)[-1]["database"]["port"] == 5000
    step = pgbench(context(), via="n12:6432")
    assert (tasks(step)[-1]["database"]["hosts"], tasks(step)[-1]["database"]["port"]) == (["n12"], 6432)
    with pytest.raises(UsageError, match="proxy"):
        pgbench(context(), via="proxy")


def test_an_address_may_be_one_of_ipv6() -> None:
    wanted = tasks(pgbench(context(), via="[fd00::1]:6432"))[-1]["database"]
    assert (wanted["hosts"], wanted["port"]) == (["fd00::1"], 6432)
    assert address(wanted, {}).url.startswith("postgres://e2e@[fd00::1]:6432/load")
    assert address(wanted, {}).variables["PGHOST"] == "fd00::1"


@pytest.mark.parametrize(
    ("on", "clients", "host"),
    [
        ("", (), "n11"),
        ("n12", ("c11",), "n12"),
        ("database", ("c11",), "n11"),
        ("controller", ("c11",), "localhost"),
    ],
)
def test_it_runs_where_it_is_told_to(on: str, clients: tuple[str, ...], host: str) -> None:
    step = pgbench(context(clients), on=on)
    assert (step.plays[-1]["hosts"], step.hosts) == (host, (host,))
    assert (step.plays[-1].get("connection") == "local") == (host == "localhost")


def test_a_place_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="n99"):
        pgbench(context(), on="n99")
    assert RunPgbench().target_names(RunPgbenchOptions(step="run_pgbench", on="n99")) == (("on", "n99"),)


def test_nodes_that_are_away_are_not_asked_to_create_a_database() -> None:
    made = context(database="patroni")
    step = pgbench(
        CompileContext(made.provider, made.nodes, made.labels, made.parameters, "n11", away=("n11",))
    )
    assert step.plays[0]["hosts"] == "n12"


def test_its_options_become_words_and_each_is_inert() -> None:
    step = pgbench(
        context(),
        **{"scale": 3, "fillfactor": 90, "foreign_keys": True, "clients": 8, "jobs": 2, "transactions": 50},
        **{"rate": 12.5, "protocol": "prepared", "builtin": "select-only", "max_tries": 5, "seed": 7},
    )
    fill, run = tasks(step)
    assert {"--initialize", "--scale=3", "--fillfactor=90", "--foreign-keys"} <= set(fill["argv"])
    assert fill["measure"] is False
    assert run["argv"][2:5] == ["0", "5", "no"]
    assert {"--client=8", "--jobs=2", "--transactions=50", "--rate=12.5", "--protocol=prepared"} <= set(
        run["argv"]
    )
    assert {"--builtin=select-only", "--random-seed=7"} <= set(run["argv"])
    assert run["workload"] == "select-only"
    assert all(isinstance(word, Unsafe) for word in [*fill["argv"], *run["argv"]])


def test_scripts_lie_beside_the_suite() -> None:
    step = pgbench(
        context(), scripts=["a.sql", "more/b.sql"], initialise=False, duration_seconds=7, reconnect=True
    )
    (run,) = tasks(step)
    assert run["copies"] == {"script-0.sql": "a.sql", "script-1.sql": "more/b.sql"}
    assert [word for word in run["argv"] if word.startswith("--file")] == [
        "--file=@FOLDER@/script-0.sql",
        "--file=@FOLDER@/script-1.sql",
    ]
    assert run["workload"] == "a.sql, more/b.sql"
    assert run["argv"][2:5] == ["7", "1", "yes"]
    assert 7 < run["timeout_seconds"] < step.deadline_seconds


@pytest.mark.parametrize(
    "options",
    [
        {"duration_seconds": 1, "transactions": 1},
        {"transactions": 1, "reconnect": True},
        {"clients": 2, "jobs": 3},
        {"scripts": ["../x.sql"]},
        {"scripts": ["/etc/passwd"]},
        {"via": "somewhere"},
        {"via": "fd00::1:6432"},
        {"via": "[fd00::1]"},
        {"via": "[fd00::1::2]:6432"},
        {"via": "[fd00::1]:65536"},
        {"via": "[10.0.0.1]:6432"},
        {"database": "x; DROP"},
        {"limits": {"p99": 1}},
        {"limits": {"error_rate": 2}},
    ],
)
def test_nonsense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RunPgbenchOptions(step="run_pgbench", **options)


def test_any_tool_that_something_can_read_is_run_as_it_is_written() -> None:
    options = RunLoadOptions.model_validate(
        {
            "step": "run_load",
            "tool": "pgbench",
            "command": ["sh", "-c", "{{ x }} @URL@"],
            "env": {"A": "{{ y }}"},
            "files": {"f": "@PASSWORD@"},
            "duration_seconds": 9,
            "limits": {"p99_ms": 5.0},
        }
    )
    step = RunLoad().compile(options, context())
    (run,) = tasks(step)
    assert all(
        isinstance(text, Unsafe) for text in [*run["argv"], *run["env"].values(), *run["files"].values()]
    )
    assert step.judgement.load == options.limits
    with pytest.raises(UsageError, match="pgbnch") as caught:
        RunLoad().compile(options.model_copy(update={"tool": "pgbnch"}), context())
    assert "pgbench" in caught.value.hint
