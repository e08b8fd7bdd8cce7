"""Metrics that a program exports while it runs: OTLP over HTTP, of which just as much is read as is needed.

Sent to nodes too, so it needs nothing but Python.
"""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Receiver", "now", "totals"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_BYTES = 16 * 1024 * 1024
_SUM, _HISTOGRAM = 7, 9
_EPOCH = time.time() - time.monotonic()


def now() -> float:
    """Seconds since 1970, as they would be if nobody had set the clock since this program began."""
    return _EPOCH + time.monotonic()


def totals(message: bytes) -> dict[str, Any]:
    """Every counter and histogram by name, over all its attributes.

    A counter is its value; a histogram `{"count", "sum", "bounds", "buckets"}`. Counters that tell rates apart by the
    attribute `condition` are also there as `NAME[VALUE]`.

    Raises:
        ValueError: it is no such message, or it was cut.
    """
    found: dict[str, Any] = {}
    for resource in _inner(message, 1):
        for scope in _inner(resource, 2):
            for metric in _inner(scope, 2):
                _add(found, metric)
    return found


def _add(found: dict[str, Any], metric: bytes) -> None:
    fields = list(_fields(metric))
    name = next((value.decode("utf-8", "replace") for number, _, value in fields if number == 1), "")
    for number, wire, value in fields:
        if wire != _BYTES or number not in (_SUM, _HISTOGRAM):
            continue
        for point in _inner(value, 1):
            if number == _SUM:
                _add_number(found, name, point)
            else:
                _add_histogram(found, name, point)


def _add_number(found: dict[str, Any], name: str, point: bytes) -> None:
    value, condition = 0.0, ""
    for number, _, raw in _fields(point):
        if number == 4:
            value = float(struct.unpack("<d", raw)[0])
        elif number == 6:
            value = float(struct.unpack("<q", raw)[0])
        elif number == 7:
            condition = _attribute(raw, b"condition") or condition
    for key in (name, f"{name}[{condition}]") if condition else (name,):
        found[key] = found.get(key, 0.0) + value


def _attribute(raw: bytes, name: bytes) -> str:
    parts = {number: value for number, wire, value in _fields(raw) if wire == _BYTES}
    if parts.get(1) != name:
        return ""
    return next(
        (value.decode("utf-8", "replace") for number, _, value in _fields(parts.get(2, b"")) if number == 1),
        "",
    )


def _add_histogram(found: dict[str, Any], name: str, point: bytes) -> None:
    whole = found.setdefault(name, {"count": 0, "sum": 0.0, "bounds": [], "buckets": []})
    bounds: list[float] = []
    buckets: list[int] = []
    for number, _, raw in _fields(point):
        if number == 4:
            whole["count"] += struct.unpack("<Q", raw)[0]
        elif number == 5:
            whole["sum"] += struct.unpack("<d", raw)[0]
        elif number == 6:
            buckets += [each[0] for each in struct.iter_unpack("<Q", raw)]
        elif number == 7:
            bounds += [each[0] for each in struct.iter_unpack("<d", raw)]
    if not whole["bounds"]:
        whole["bounds"], whole["buckets"] = bounds, [0] * len(buckets)
    if bounds == whole["bounds"]:
        whole["buckets"] = [before + more for before, more in zip(whole["buckets"], buckets, strict=False)]


def _inner(message: bytes, wanted: int) -> Iterator[bytes]:
    return (value for number, wire, value in _fields(message) if number == wanted and wire == _BYTES)


def _fields(message: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Number, kind and bytes of each field."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, wire, value.to_bytes(10, "little")
            continue
        size, at = _varint(message, at) if wire == _BYTES else ({_FIXED64: 8, _FIXED32: 4}.get(wire, -1), at)
        if size < 0 or at + size > len(message):
            raise ValueError("the message is cut or of another kind")
        yield number, wire, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("the message is cut")
        value |= (message[at] & 0x7F) << shift
        at += 1
        if not message[at - 1] & 0x80:
            return value, at
    raise ValueError("a number is too long")


class Receiver:
    """Listens on the loopback address; `take` gets the seconds since 1970 and the totals of each message."""

    def __init__(self, take: Callable[[float, Mapping[str, Any]], None]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                message = self.rfile.read(min(size, _MOST_BYTES))
                try:
                    take(now(), totals(message))
                except (ValueError, struct.error):
                    self.send_response(400)
                else:
                    self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Nothing: the output is that of the load."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
