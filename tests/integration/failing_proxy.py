"""A proxy before an HTTP server on the loopback, which fails where a test says so and tells what it has heard.

    with FailingProxy(upstream="http://127.0.0.1:5000") as proxy:
        proxy.fail("RunInstances", answer(503), times=2)  # two calls are not heard by the server
        proxy.fail("RunInstances", drop_answer)  # heard by the server, and the caller never learns it
        ...  # let the SDK talk to proxy.url
        assert proxy.count("RunInstances") == 4

A fault is chosen by a text that stands in the path, the headers or the body of a request, or by a predicate over it.
Of several faults that fit, the first one that is not used up is taken. Without a fault, a request goes through.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

__all__ = [
    "Answer",
    "FailingProxy",
    "Fault",
    "Held",
    "Request",
    "answer",
    "drop_answer",
    "refuse",
    "rewrite",
]

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "accept-encoding"}
_SECONDS = 30


@dataclass(frozen=True)
class Request:
    """What a caller has asked for; `text` is all of it for a search."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """Method, path, headers and body."""
        headers = "\n".join(f"{name}: {value}" for name, value in self.headers.items())
        return f"{self.method} {self.path}\n{headers}\n\n{self.body.decode(errors='replace')}"


@dataclass(frozen=True)
class Answer:
    """What a caller gets."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Forward = Callable[[], Answer]
"""Lets the server hear the request; its answer."""

Fault = Callable[[Request, Forward], Answer | None]
"""Makes the answer of a request; with None the connection is closed without one."""


def answer(status: int, body: str = "", **headers: str) -> Fault:
    """Answer in the place of the server, which hears nothing. `retry_after="1"` is the header `retry-after`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request, forward: Answer(status, body.encode(), named)


def refuse(request: Request, forward: Forward) -> Answer | None:
    """Close the connection; the server hears nothing."""
    return None


def drop_answer(request: Request, forward: Forward) -> Answer | None:
    """Let the server hear it and close the connection: whether it was heard, the caller cannot know."""
    forward()
    return None


def rewrite(old: str, new: str) -> Fault:
    """Replace a text in the answer of the server."""

    def fault(request: Request, forward: Forward) -> Answer | None:
        told = forward()
        return Answer(told.status, told.body.replace(old.encode(), new.encode()), told.headers)

    return fault


class Held:
    """A fault that lets the server hear a request and holds its answer until `release`."""

    def __init__(self) -> None:
        self.heard = threading.Event()
        self._released = threading.Event()

    def __call__(self, request: Request, forward: Forward) -> Answer | None:
        told = forward()
        self.heard.set()
        self._released.wait(_SECONDS)
        return told

    def release(self) -> None:
        """Let the answer go."""
        self._released.set()


@dataclass
class _Rule:
    fits: Callable[[Request], bool]
    fault: Fault
    left: float


class FailingProxy:
    """Listens on a free port of 127.0.0.1 while the `with` lasts; over TLS when given a server's context.

    `translate` changes the body of every answer of the server.
    """

    def __init__(
        self,
        upstream: str,
        context: ssl.SSLContext | None = None,
        translate: Callable[[bytes], bytes] = lambda body: body,
    ) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._translate = translate
        self._rules: list[_Rule] = []
        self._requests: list[Request] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fail(
        self,
        which: str | Callable[[Request], bool],
        fault: Fault,
        *,
        times: float = 1,
        after: int = 0,
    ) -> None:
        """Use `fault` for the next `times` (`math.inf`: all) requests that fit, once `after` of them went through."""
        fits = (lambda request: which in request.text) if isinstance(which, str) else which
        with self._lock:
            if after:
                self._rules.append(_Rule(fits, lambda request, forward: forward(), after))
            self._rules.append(_Rule(fits, fault, times))

    def requests(self, text: str = "") -> list[Request]:
        """What was heard so far, oldest first, with `text` in it."""
        with self._lock:
            return [request for request in self._requests if text in request.text]

    def count(self, text: str) -> int:
        """How many requests with `text` were heard so far."""
        return len(self.requests(text))

    def reset(self) -> None:
        """Forget all faults and requests."""
        with self._lock:
            self._rules.clear()
            self._requests.clear()

    def respond(self, request: Request) -> Answer | None:
        """Called for each request."""
        with self._lock:
            self._requests.append(request)
            rule = next((rule for rule in self._rules if rule.left > 0 and rule.fits(request)), None)
            if rule:
                rule.left -= 1
        return rule.fault(request, lambda: self._forward(request)) if rule else self._forward(request)

    def _forward(self, request: Request) -> Answer:
        connection = http.client.HTTPConnection(*self._upstream, timeout=_SECONDS)
        try:
            headers = {
                name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP
            }
            connection.request(request.method, request.path, request.body, headers)
            told = connection.getresponse()
            kept = {name: value for name, value in told.getheaders() if name.lower() not in _HOP_BY_HOP}
            return Answer(told.status, self._translate(told.read()), kept)
        finally:
            connection.close()


def _handler(proxy: FailingProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms for the caller's word
        wbufsize = -1

        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            told = proxy.respond(Request(self.command, self.path, dict(self.headers.items()), body))
            self.close_connection = told is None
            if told is None:
                return
            self.send_response(told.status)
            for name, value in {**told.headers, "content-length": str(len(told.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(told.body)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the base's
            """What was heard is in `requests`."""

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
        setattr(Handler, f"do_{method}", Handler._respond)
    return Handler
