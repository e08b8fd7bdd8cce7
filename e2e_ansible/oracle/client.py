"""The client: does the operations of a workload at a rate while the cluster is disturbed, and notes what came of each.

Run as `python -m e2e_ansible.oracle.client --config FILE`, or from an archive that holds no more than it needs: the
standard library, psycopg 3 and a few modules. Orders (`pause`, `resume`, `status`, `stop`, `clock`) come as lines, on
standard input or with `--socket` on a unix socket; each is answered by one line of JSON. It ends at `stop`, on SIGTERM
and SIGINT, and without a socket at the end of its input and when its parent dies: always after what is under way.

Every operation is noted before it is sent and after it ended, each note by one unbuffered append: what a caller could
have seen acknowledged survives a kill. A number is never used twice, not even by the next client on the history.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from e2e_ansible.errors import E2EError, HarnessError
from e2e_ansible.oracle.config import ClientConfig, load, read_private
from e2e_ansible.oracle.history import Event
from e2e_ansible.oracle.history_file import HistoryFile
from e2e_ansible.oracle.measure import Sample, boot, resolution
from e2e_ansible.oracle.orders import Order, Orders, Pipe, UnixSocket, relay
from e2e_ansible.oracle.schedule import Schedule, Turn
from e2e_ansible.oracle.session import Doubtful, Session, Undone, scrub
from e2e_ansible.oracle.workloads import workload

__all__ = ["Client", "main"]

_KNOWN = ("pause", "resume", "status")


class Client:
    """Workers that do the operations, and one thread that takes orders."""

    def __init__(self, config: ClientConfig, password: str, history: HistoryFile, orders: Orders) -> None:
        self._config = config
        self._password = password
        self._history = history
        self._orders = orders
        self._workload = workload(config)
        self._schedule = Schedule(config.rate)
        self._table = threading.Lock()
        self._has_table = False
        self._counting = threading.Lock()
        self._counts = {Event.OK: 0, Event.FAIL: 0, Event.UNKNOWN: 0}
        self._late = Sample()
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Work until told to stop.

        Raises:
            OSError: something could not be noted; no operation was sent after that.
        """
        self._note_start()
        workers = [threading.Thread(target=self._worker, args=(n,)) for n in range(self._config.concurrency)]
        for worker in [] if self._orders.stopping else workers:
            worker.start()
        self._orders.greet(self._reply("ready"))
        last: list[Order] = []
        while not (self._orders.stopping or self._schedule.stopped):
            last += [order for order in self._orders.wait() if not self._obey(order)]
            self._orders.stopping |= bool(last)
        self._schedule.stop()
        for worker in filter(threading.Thread.is_alive, workers):
            worker.join()
        self._orders.close()
        if self._failure is not None:
            raise self._failure
        self._history.note(Event.STOP, overhead=self._overhead())
        for order in last:
            order.answer(self._reply("stop"))

    # ---- workers

    def _worker(self, number: int) -> None:
        session = Session(self._config, self._password)
        try:
            while (turn := self._schedule.take()) is not None:
                try:
                    self._operate(number, session, turn)
                finally:
                    self._schedule.done()
        except BaseException as error:
            self._failure = error
            self._schedule.stop()
            self._orders.wake()
        finally:
            session.close()

    def _operate(self, worker: int, session: Session, turn: Turn) -> None:
        """One operation. What is no outcome of it, such as a full disk, ends the client."""
        self._late.add(turn.late)
        number, operation = self._history.invoke(
            self._workload.choose, worker=worker, late=turn.late, skipped=turn.skipped or None
        )
        event, value, error = Event.OK, None, ""
        where: tuple[str, int | None] = ("", None)
        try:
            session.begin()
            where = (session.node, session.timeline)
            self._make_table(session)
            value = self._workload.perform(session, number, operation)
        except Undone as undone:
            event, error = Event.FAIL, session.told(undone)
            session.recover() if undone.usable else session.close()
        except Doubtful as doubtful:
            event, error = Event.UNKNOWN, session.told(doubtful)
            session.close()
        self._history.note(
            event,
            id=number,
            worker=worker,
            op=operation[0],
            value=value,
            node=where[0],
            timeline=where[1],
            error=error,
        )
        with self._counting:
            self._counts[event] += 1

    def _make_table(self, session: Session) -> None:
        """Once for each run of the client.

        Raises:
            Undone: it cannot be made; the operation was not sent.
        """
        with self._table:
            if self._has_table:
                return
            try:
                session.statement(self._workload.setup())
            except (Undone, Doubtful) as error:
                raise Undone(f"the table cannot be made: {error}") from error
            self._has_table = True
        session.begin()

    # ---- orders

    def _obey(self, order: Order) -> bool:
        """Do what an order says and answer; False for the order to stop, which is answered at the end."""
        word, *rest = order.text.split() or [""]
        if word == "stop":
            return False
        if word == "pause":
            self._pause()
        elif word == "resume" and self._schedule.paused:
            self._history.note(Event.RESUME, mark=self._history.mark)
            self._schedule.resume()
        elif word == "clock" and len(rest) == 2 and all(each.removeprefix("-").isdecimal() for each in rest):
            self._note_clock(int(rest[0]), int(rest[1]))
        elif word not in _KNOWN:
            word = "error"
        order.answer(self._reply(word))
        return True

    def _pause(self) -> None:
        if self._schedule.paused:
            return
        self._schedule.pause(self._config.attempt_seconds)
        self._history.mark += 1
        self._history.note(Event.PAUSE, mark=self._history.mark, last=self._history.last)

    def _note_clock(self, ahead: int, uncertainty: int) -> None:
        """The controller's clock is `ahead` nanoseconds of this one, give or take `uncertainty`."""
        now = time.time_ns() + ahead
        self._history.note(Event.CLOCK, controller_wall=now, uncertainty=uncertainty)

    def _reply(self, word: str) -> str:
        with self._counting:
            counts = {str(event): count for event, count in self._counts.items()}
        facts = {"mark": self._history.mark, "last": self._history.last, "paused": self._schedule.paused}
        return json.dumps(
            {"reply": word, **facts, **counts, "wall": time.time_ns(), "size": self._history.size}
        )

    # ---- about itself

    def _note_start(self) -> None:
        config = self._config
        on_controller = isinstance(self._orders, Pipe)
        self._history.note(
            Event.START,
            pid=os.getpid(),
            workload=config.workload,
            rate=config.rate,
            concurrency=config.concurrency,
            resolution=resolution(),
            hosts=list(config.hosts),
            settings=self._settings(),
            boot=boot(),
            controller_wall=time.time_ns() if on_controller else None,
        )

    def _settings(self) -> dict[str, object]:
        config = self._config
        more = {"isolation": config.isolation} if config.workload in ("bank", "list-append") else {}
        if config.synchronous_commit:
            more["synchronous_commit"] = config.synchronous_commit
        return {**self._workload.settings, **more}

    def _overhead(self) -> dict[str, int]:
        return {
            "record_ns_median": self._history.cost.share(0.5),
            "late_ns_p99": self._late.share(0.99),
            "late_ns_max": self._late.highest,
        }


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m e2e_ansible.oracle.client", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", type=Path, help="JSON file, mode 0600")
    what.add_argument("--relay", type=Path, help="carry orders from standard input to the socket of a client")
    parser.add_argument("--socket", type=Path, help="take orders on this unix socket, not on standard input")
    parser.add_argument(
        "--parent", type=int, help="process id that must live (default: whoever started this)"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the client; the exit code is 0 after an orderly end, else that of the error."""
    parent = os.getppid()
    given = _arguments(arguments)
    if given.relay:
        return relay(given.relay)
    secret = ""
    try:
        config = load(given.config)
        secret = _password(config)
        _forget_cycles(config)
        history = HistoryFile(config.history, config.first)
        orders = UnixSocket(given.socket) if given.socket else Pipe(given.parent or parent)
        Client(config, secret, history, orders).run()
    except Exception as error:
        text = scrub(f"{type(error).__name__}: {error}", secret)
        sys.stderr.write(json.dumps({"reply": "error", "error": text}) + "\n")
        return error.exit_code if isinstance(error, E2EError) else HarnessError.exit_code
    return 0


def _forget_cycles(config: ClientConfig) -> None:
    """Histories of earlier cycles of this client that are still beside it: they were fetched."""
    if not config.cycle:
        return
    for path in config.history.parent.glob("history*.jsonl"):
        if path.name != config.history.name:
            path.unlink(missing_ok=True)


def _password(config: ClientConfig) -> str:
    if config.password_file is None:
        return ""
    return read_private(config.password_file).partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
