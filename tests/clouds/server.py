"""An HTTP API on loopback with machines that take a moment, and with the troubles that every API has."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

#: How long a transition takes, in seconds.
MOMENT = 0.05


@dataclass(frozen=True)
class Answer:
    """Status and JSON; no body without JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A call that is answered with an error."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.status))
        self.answer = answer


class LostAnswer(Exception):
    """The call was done; its answer never arrives."""


@dataclass
class Call:
    """One request."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any


@dataclass
class FakeMachine:
    """A machine and what becomes of it: `due` is when (monotonic seconds), and what then happens.

    No state is passed over, however slow this computer is: the first look changes nothing, and each other one does at
    most one thing that is due.
    """

    id: int
    name: str
    zone: str
    size: str
    tags: Any
    state: str
    settings: Mapping[str, Any]
    created: float = field(default_factory=time.time)
    due: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    looked_at: bool = False

    @property
    def address(self) -> str:
        """Where nothing listens but loopback itself."""
        return f"127.77.{self.id % 250}.1"

    def later(self, moments: float, do: Callable[[], None]) -> None:
        """Do something after so many moments."""
        self.due.append((time.monotonic() + moments * MOMENT, do))

    def become(self, state: str) -> Callable[[], None]:
        """The act of getting into a state."""

        def do() -> None:
            self.state = state

        return do

    def settle(self) -> None:
        """Let the next thing happen, if it is due."""
        looked_at, self.looked_at = self.looked_at, True
        self.due.sort(key=lambda each: each[0])
        if looked_at and self.due and self.due[0][0] <= time.monotonic():
            _, do = self.due.pop(0)
            do()


class FakeServer:
    """State, troubles, and a server that asks `answer` for each call, one at a time.

    A subclass answers calls and says what an error looks like. See `cases.Fake` for the troubles.
    """

    credential = "Bearer sesame-7d1f"
    gone_state = "gone"

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.fleet: list[FakeMachine] = []
        self.names_made: list[str] = []
        self.operations: list[str] = []
        self.most = 100
        self.stuck = False
        self.idle = False
        self.answers: list[Any] = []
        self.heard: list[str] = []
        self._failures: list[Answer] = []
        self._creates_until_lack = 0
        self._lose = False
        self._forbidden = False
        self._ids = iter(range(101, 10**6))
        self.url = ""

    # what a subclass says

    def answer(self, call: Call) -> Answer:
        """Do a call. Raises Refused."""
        raise NotImplementedError

    def error(self, status: int, reason: str = "") -> Answer:
        """An error of the API. `reason` is '', `forbidden`, `capacity` or `quota`."""
        raise NotImplementedError

    # the troubles

    def machines(self) -> list[str]:
        with self.lock:
            return [machine.name for machine in self.living()]

    def made(self) -> list[str]:
        return list(self.names_made)

    def zones(self) -> list[str]:
        with self.lock:
            return [machine.zone for machine in self.living()]

    def left(self) -> list[str]:
        return []

    def acts(self) -> list[str]:
        return list(self.operations)

    def fail(self, status: int, times: int) -> None:
        self._failures += [self.error(status)] * times

    def reply(self, answer: Answer) -> None:
        """Answer the next call so instead of doing it."""
        self._failures.append(answer)

    def lack(self, create: int) -> None:
        self._creates_until_lack = create

    def allow(self, machines: int) -> None:
        self.most = machines

    def lose_answer(self) -> None:
        self._lose = True

    def never_start(self) -> None:
        self.stuck = True

    def never_act(self) -> None:
        self.idle = True

    def forbid(self) -> None:
        self._forbidden = True

    # what subclasses use

    def only(self, call: Call, *known: str) -> None:
        """Refuse a query that this fake does not follow, rather than pass over it."""
        if set(call.query) - set(known):
            raise Refused(self.error(400, f"unknown query {sorted(set(call.query) - set(known))}"))

    def living(self) -> list[FakeMachine]:
        """Machines that are there, after what is due has happened."""
        for machine in self.fleet:
            machine.settle()
        self.fleet = [machine for machine in self.fleet if machine.state != self.gone_state]
        return self.fleet

    def next_id(self) -> int:
        return next(self._ids)

    def admit(self) -> None:
        """Refuse one more machine, if it is to be refused."""
        self._creates_until_lack -= 1
        if self._creates_until_lack == 0:
            raise Refused(self.error(0, "capacity"))
        if len(self.living()) >= self.most:
            raise Refused(self.error(0, "quota"))

    def enter(self, machine: FakeMachine) -> None:
        """A machine is there from now on."""
        self.fleet.append(machine)
        self.names_made.append(machine.name)

    def lose_now(self) -> None:
        """Break off here, if it is to be done with the answer of this call."""
        if self._lose:
            self._lose = False
            raise LostAnswer

    # the server

    def handle(self, call: Call, authorization: str) -> Answer:
        """The answer to a call, with all troubles."""
        with self.lock:
            self.heard.append(f"{call.method} {call.path}")
            try:
                if self._failures:
                    return self._failures.pop(0)
                if self._forbidden or authorization != self.credential:
                    return self.error(0, "forbidden")
                done = self.answer(call)
            except Refused as refused:
                return refused.answer
            if done.body is not None:
                self.answers.append((call, done.body))
            return done


def page(call: Call, items: Sequence[Any], default: int, most: int) -> tuple[list[Any], int, int, int]:
    """The items of the page that is asked for, its number, its size, and the number of the last page."""
    size = min(int(call.query.get("per_page", default)), most)
    number = int(call.query.get("page", 1))
    last = max(1, -(-len(items) // size))
    return list(items[(number - 1) * size : number * size]), number, size, last


@contextmanager
def serving(fake: FakeServer, prefix: str = "") -> Iterator[Any]:
    """Serve a fake on a free port of loopback; its `url` ends in `prefix`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake, prefix))
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}{prefix}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(fake: FakeServer, prefix: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def _do(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            call = Call(self.command, unquote(parts.path.removeprefix(prefix)), query, body)
            try:
                answer = fake.handle(call, self.headers.get("Authorization", ""))
            except LostAnswer:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self._send(answer)

        def _send(self, answer: Answer) -> None:
            text = b"" if answer.body is None else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.body is not None:
                self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _do  # noqa: N815  # names of http.server

    return Handler
