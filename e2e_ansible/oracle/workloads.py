"""What a client does: append, bank, register and list-append, each with its table, its operations, its results."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from e2e_ansible.oracle.config import ClientConfig
from e2e_ansible.oracle.history_file import Operation
from e2e_ansible.oracle.session import Session, Undone

__all__ = ["BALANCE", "Append", "Bank", "ListAppend", "Register", "Workload", "workload"]

BALANCE = 100
"""What every account of a bank begins with."""

_LONGEST_LIST = 50  # then another key takes its place: a list is read as a whole


class Workload(ABC):
    """One kind of load. `choose` is called under a lock; `perform` by one worker with its own session."""

    name: ClassVar[str]

    def __init__(self, config: ClientConfig) -> None:
        self.table = config.table
        self._config = config
        self._random = random.Random(f"{config.seed} {config.name} {self.name}")

    @abstractmethod
    def columns(self) -> str:
        """The columns of its table."""

    def filling(self) -> str:
        """The statement that puts the first rows into the new table; '' for none."""
        return ""

    @abstractmethod
    def choose(self, number: int) -> Operation:
        """The operation with this number; numbers rise."""

    @abstractmethod
    def perform(self, session: Session, number: int, operation: Operation) -> Any:
        """Do it; what is returned is the result for the history.

        Raises:
            Undone, Doubtful: see there.
        """

    @property
    def settings(self) -> dict[str, Any]:
        """What a judge must know about it beside the operations."""
        return {}

    def setup(self) -> str:
        """One statement that makes the table with its rows unless it is there."""
        filling = f"{self.filling()};" if self.filling() else ""
        return f"""
do $$ begin
  if to_regclass('{self.table}') is null then
    {self._forget()}
    create schema if not exists e2e;
    create table {self.table} ({self.columns()});
    {filling}
  end if;
end $$
"""

    def _forget(self) -> str:
        """The statement that removes the table of the cycle before, which nobody asks for again."""
        cycle = self._config.cycle
        before = self._config.change(cycle=cycle - 1).table if cycle > 1 else self.table
        return f"drop table if exists {before};" if before != self.table else ""

    def _reads(self) -> bool:
        return self._random.random() < self._config.reads


class Append(Workload):
    """Rows with rising numbers. A read tells the highest number and how many rows there are.

    In a cycle of a soak that is of its own rows; the first read over a connection also counts all earlier ones.
    """

    name = "append"

    @property
    def settings(self) -> dict[str, Any]:
        """How many rows of earlier cycles must be there."""
        return {"earlier": self._config.earlier} if self._config.earlier else {}

    def columns(self) -> str:
        """A row's number and its time."""
        return "id bigint primary key, at timestamptz default clock_timestamp()"

    def choose(self, number: int) -> Operation:
        """Append this number, or read."""
        return ("read", None) if self._reads() else ("append", number)

    def perform(self, session: Session, number: int, operation: Operation) -> Any:
        """One statement."""
        if operation[0] == "append":
            session.statement(f"insert into {self.table} (id) values ($1)", number)
            return None
        first = self._config.first
        ((highest, count),) = session.statement(
            f"select coalesce(max(id), 0), count(*) from {self.table} where id > $1::bigint", first
        )
        told = [int(highest or 0), int(count or 0)]
        if not self._config.earlier or session.recounted:
            return told
        ((earlier,),) = session.statement(f"select count(*) from {self.table} where id <= $1::bigint", first)
        session.recounted = True
        return [*told, int(earlier or 0)]


class Bank(Workload):
    """Accounts whose sum must hold. Amounts may make a balance negative: only the sum is the law."""

    name = "bank"

    def columns(self) -> str:
        """An account and what is on it."""
        return "id int primary key, balance bigint not null"

    def filling(self) -> str:
        """Every account begins with the same."""
        last = self._config.accounts - 1
        return f"insert into {self.table} select id, {BALANCE} from generate_series(0, {last}) as id"

    @property
    def settings(self) -> dict[str, Any]:
        """How many accounts there are and what is on all of them together."""
        return {"accounts": self._config.accounts, "total": self._config.accounts * BALANCE}

    def choose(self, number: int) -> Operation:
        """Move an amount between two accounts, or read all of them."""
        if self._reads():
            return "read", None
        source, target = self._random.sample(range(self._config.accounts), 2)
        return "transfer", [source, target, self._random.randint(1, 5)]

    def perform(self, session: Session, number: int, operation: Operation) -> Any:
        """A transfer is a transaction of two statements, so that a half of it can be lost."""
        if operation[0] == "read":
            rows = session.statement(f"select balance from {self.table} order by id")
            return [int(balance or 0) for (balance,) in rows]
        source, target, amount = operation[1]
        session.inside(f"begin isolation level {self._config.isolation}")
        for account, change in ((source, -amount), (target, amount)):
            moved = session.inside(
                f"update {self.table} set balance = balance + $1::bigint where id = $2::int returning id",
                change,
                account,
            )
            if not moved:
                raise Undone(f"there is no account {account}")
        session.commit()
        return None


class Register(Workload):
    """Registers that are written, read, and written if they hold what was seen last. Every value is written once."""

    name = "register"

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(config)
        self._seen: dict[int, int | None] = {}

    def columns(self) -> str:
        """A register and its value."""
        return "k int primary key, v bigint"

    def filling(self) -> str:
        """Every register begins with null."""
        return (
            f"insert into {self.table} select k, null from generate_series(0, {self._config.keys - 1}) as k"
        )

    @property
    def settings(self) -> dict[str, Any]:
        """How many registers there are."""
        return {"keys": self._config.keys}

    def choose(self, number: int) -> Operation:
        """Read, write the number, or put it in the place of what was seen last."""
        key = self._random.randrange(self._config.keys)
        if self._reads():
            return "read", [key, None]
        seen = self._seen.get(key)
        if seen is not None and self._random.random() < 0.5:
            return "cas", [key, seen, number]
        return "write", [key, number]

    def perform(self, session: Session, number: int, operation: Operation) -> Any:
        """One statement on one row."""
        op, value = operation
        key = value[0]
        if op == "read":
            rows = session.statement(f"select v from {self.table} where k = $1::int", key)
            if not rows:
                raise Undone(f"there is no register {key}")
            seen = None if rows[0][0] is None else int(rows[0][0])
            self._seen[key] = seen
            return [key, seen]
        same = "" if op == "write" else " and v = $3::bigint"
        values = [key, value[-1], *([value[1]] if op == "cas" else [])]
        done = session.statement(
            f"update {self.table} set v = $2::bigint where k = $1::int{same} returning v", *values
        )
        if not done:
            raise Undone(f"register {key} is not there or held another value", usable=True)
        self._seen[key] = value[-1]
        return value


class ListAppend(Workload):
    """Transactions that append to lists and read them, in the shape that Elle reads."""

    name = "list-append"

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(config)
        self._appended: dict[int, int] = {}
        self._keys = list(range(config.keys))

    def columns(self) -> str:
        """A list and what is in it, in order."""
        return "k bigint primary key, v text not null"

    def choose(self, number: int) -> Operation:
        """One to four acts on the lists; a value is the number of its operation and its place in it."""
        acts: list[list[Any]] = []
        for index in range(self._random.randint(1, 4)):
            place = self._random.randrange(len(self._keys))
            key = self._keys[place]
            if self._reads():
                acts.append(["r", key, None])
                continue
            acts.append(["append", key, number * 10 + index])
            self._appended[key] = self._appended.get(key, 0) + 1
            if self._appended[key] >= _LONGEST_LIST:
                self._keys[place] = number * 10 + index + self._config.keys
        return "txn", acts

    def perform(self, session: Session, number: int, operation: Operation) -> Any:
        """One transaction."""
        session.inside(f"begin isolation level {self._config.isolation}")
        done = [self._act(session, *act) for act in operation[1]]
        session.commit()
        return done

    def _act(self, session: Session, act: str, key: int, value: int | None) -> list[Any]:
        if act == "append":
            session.inside(
                f"insert into {self.table} as t (k, v) values ($1::bigint, $2::text)"
                " on conflict (k) do update set v = t.v || ',' || excluded.v",
                key,
                value,
            )
            return [act, key, value]
        rows = session.inside(f"select v from {self.table} where k = $1::bigint", key)
        return [act, key, [int(each) for each in (rows[0][0] or "").split(",")] if rows else []]


_WORKLOADS: dict[str, type[Workload]] = {each.name: each for each in (Append, Bank, Register, ListAppend)}


def workload(config: ClientConfig) -> Workload:
    """The workload that a configuration names."""
    return _WORKLOADS[config.workload](config)
