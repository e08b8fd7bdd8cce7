"""What became of an operation is named exactly: on a real server, whose connection is lost at chosen moments."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cutting_proxy import CuttingProxy
from oracle_postgres import PASSWORD, Server

from e2e_ansible.oracle.config import ClientConfig
from e2e_ansible.oracle.session import Doubtful, Session, Undone
from e2e_ansible.oracle.workloads import workload


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    made = Server()
    try:
        made.start()
        yield made
    finally:
        made.close()


def given(port: int, **changes: object) -> ClientConfig:
    plain = {"hosts": ("127.0.0.1",), "port": port, "history": Path(), "statement_timeout_seconds": 2.0}
    return ClientConfig(**{**plain, **changes})  # type: ignore[arg-type]  # values of several types


def session(config: ClientConfig) -> Session:
    made = Session(config, PASSWORD)
    made.begin()
    return made


def prepared(database: Server, name: str, load: str, **changes: object) -> ClientConfig:
    config = given(database.port, name=name, workload=load, **changes)
    session(config).statement(workload(config).setup())
    return config


def total(database: Server, config: ClientConfig) -> int:
    return int(database.query(f"select sum(balance) from {config.table}")[0][0])


@pytest.mark.parametrize("before", [True, False], ids=["commit-lost", "answer-lost"])
def test_a_commit_without_an_answer_is_doubtful(database: Server, before: bool) -> None:
    config = prepared(database, f"commit{before}", "bank")
    with CuttingProxy(database.port, b"commit\0", before=before) as proxy:
        through = session(config.change(port=proxy.port))
        with pytest.raises(Doubtful, match="no answer to COMMIT"):
            workload(config).perform(through, 1, ("transfer", [0, 1, 7]))
    moved = database.query(f"select balance from {config.table} where id = 0")[0][0]
    assert moved == (100 if before else 93)
    assert total(database, config) == 800


def test_a_connection_that_is_lost_before_commit_undoes_all(database: Server) -> None:
    config = prepared(database, "early", "bank")
    with CuttingProxy(database.port, b"update ", before=False) as proxy:
        through = session(config.change(port=proxy.port))
        with pytest.raises(Undone, match="no answer before COMMIT was sent"):
            workload(config).perform(through, 1, ("transfer", [0, 1, 7]))
    assert database.query(f"select balance from {config.table} where id = 0") == [(100,)]


@pytest.mark.parametrize("before", [True, False], ids=["row-lost", "answer-lost"])
def test_a_statement_without_an_answer_is_doubtful(database: Server, before: bool) -> None:
    config = prepared(database, f"row{before}", "append")
    with CuttingProxy(database.port, b"insert into", before=before) as proxy:
        through = session(config.change(port=proxy.port))
        with pytest.raises(Doubtful, match="no answer"):
            workload(config).perform(through, 5, ("append", 5))
    assert database.query(f"select count(*) from {config.table}") == [(0 if before else 1,)]


def test_a_host_that_is_not_there_is_undone_and_named(database: Server) -> None:
    with pytest.raises(Undone, match=r"127\.0\.0\.99: .*refused"):
        session(given(database.port, hosts=("127.0.0.99",)))


def test_a_host_that_never_answers_costs_no_more_than_its_time(database: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(Undone, match=r"127\.0\.0\.1: the time is over while connecting"):
            session(given(port, connect_timeout_seconds=0.2))


def test_a_transaction_that_lost_against_another_is_undone_and_the_connection_is_used_on(
    database: Server,
) -> None:
    config = prepared(database, "serial", "bank")
    one, two = session(config), session(config)
    for each in (one, two):
        each.inside("begin isolation level serializable")
        each.inside(f"select sum(balance) from {config.table}")
    one.inside(f"update {config.table} set balance = balance - 1 where id = 0")
    one.commit()
    with pytest.raises(Undone, match=r"40001 .*could not serialize") as lost:
        two.inside(f"update {config.table} set balance = balance + 1 where id = 0")
    assert lost.value.usable
    two.recover()
    two.begin()
    assert two.statement("select 1") == [["1"]]


def test_a_commit_of_an_aborted_transaction_is_a_rollback(database: Server) -> None:
    made = session(given(database.port))
    made.inside("begin")
    with pytest.raises(Undone, match="22012 "):
        made.inside("select 1/0")
    with pytest.raises(Undone, match="COMMIT was answered by ROLLBACK"):
        made.commit()


def test_a_wait_for_a_standby_that_was_cancelled_is_doubtful_at_commit_too(database: Server) -> None:
    config = prepared(database, "sync", "bank", statement_timeout_seconds=20.0)
    made = session(config)
    database.query("alter system set synchronous_standby_names = 'nobody'")
    database.query("select pg_reload_conf()")
    waiting = "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'"
    over = threading.Event()

    def cancel() -> None:
        while not over.wait(0.05):
            database.query(waiting)

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        with pytest.raises(Doubtful, match="committed with a warning: canceling wait for synchronous"):
            workload(config).perform(made, 1, ("transfer", [0, 1, 7]))
    finally:
        over.set()
        thread.join()
        database.query("alter system reset synchronous_standby_names")
        database.query("select pg_reload_conf()")
    assert database.query(f"select balance from {config.table} where id = 0") == [(93,)]


def test_what_a_session_sets_and_where_it_is(database: Server) -> None:
    made = session(given(database.port, synchronous_commit="off", name="quick"))
    asked = "select current_setting('synchronous_commit'), current_setting('application_name')"
    assert made.statement(asked) == [["off", "e2e-quick"]]
    assert (made.node, made.timeline) == ("127.0.0.1", 1)


def test_registers_are_written_read_and_compared(database: Server) -> None:
    config = prepared(database, "reg", "register", keys=2)
    load, made = workload(config), session(config)
    assert load.perform(made, 1, ("read", [1, None])) == [1, None]
    assert load.perform(made, 2, ("write", [1, 2])) == [1, 2]
    with pytest.raises(Undone, match="held another value") as refused:
        load.perform(made, 3, ("cas", [1, 99, 3]))
    assert refused.value.usable
    assert load.perform(made, 4, ("cas", [1, 2, 4])) == [1, 2, 4]
    assert load.perform(made, 5, ("read", [1, None])) == [1, 4]


def test_lists_have_the_shape_of_elle(database: Server) -> None:
    config = prepared(database, "lists", "list-append")
    load, made = workload(config), session(config)
    first = [["append", 1, 10], ["r", 1, None], ["r", 2, None]]
    assert load.perform(made, 1, ("txn", first)) == [["append", 1, 10], ["r", 1, [10]], ["r", 2, []]]
    again = [["append", 1, 20], ["r", 1, None]]
    assert load.perform(made, 2, ("txn", again)) == [["append", 1, 20], ["r", 1, [10, 20]]]


def test_rows_are_appended_and_counted(database: Server) -> None:
    config = prepared(database, "rows", "append")
    load, made = workload(config), session(config)
    assert load.perform(made, 1, ("read", None)) == [0, 0]
    assert load.perform(made, 7, ("append", 7)) is None
    assert load.perform(made, 8, ("read", None)) == [7, 1]


@pytest.mark.parametrize("name", ["append", "bank", "register", "list-append"])
def test_the_same_seed_chooses_the_same_and_no_value_twice(name: str) -> None:
    config = given(5432, workload=name, name="any", reads=0.3)
    one, two = workload(config), workload(config)
    chosen = [one.choose(number) for number in range(1, 400)]
    assert chosen == [two.choose(number) for number in range(1, 400)]
    appended = [act[2] for op, acts in chosen if op == "txn" for act in acts if act[0] == "append"]
    written = [value[-1] for op, value in chosen if op in ("write", "cas")]
    for values in (appended, written):
        assert len(set(values)) == len(values)
