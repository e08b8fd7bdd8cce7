"""How orders reach a client: lines on standard input, or lines on a unix socket; each is answered by one line."""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["Order", "Orders", "Pipe", "UnixSocket", "relay"]

_PR_SET_PDEATHSIG = 1
_PARENT_DIED = signal.SIGUSR1
_READ = selectors.EVENT_READ


class Order:
    """One line, and the way back for its answer."""

    def __init__(self, text: str, answers: int) -> None:
        self.text = text
        self._answers = answers

    def answer(self, line: str) -> bool:
        """Send the answer; whether somebody still listens."""
        try:
            os.write(self._answers, line.encode() + b"\n")
        except OSError:
            return False
        return True


class Orders:
    """Waits for orders and signals. `stopping` is set by SIGTERM, SIGINT, and whatever ends the way of the orders."""

    def __init__(self) -> None:
        self.stopping = False
        self._selector = selectors.DefaultSelector()
        self._unread: dict[int, bytes] = {}
        wake, alarm = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wake = alarm
        self._selector.register(wake, _READ, self._woken)
        signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())

    def greet(self, line: str) -> None:
        """Say that the client listens, if anybody is there to hear it."""

    def close(self) -> None:
        """Leave nothing behind."""

    def wake(self) -> None:
        """End a wait; any thread may call this."""
        with suppress(OSError):
            os.write(self._wake, b"\0")

    def wait(self) -> Iterator[Order]:
        """The next orders; none when something else ended the wait."""
        for key, _ in self._selector.select():
            act: Callable[[int], Iterator[Order]] = key.data
            yield from act(key.fd)

    def _stop(self) -> None:
        self.stopping = True

    def _woken(self, descriptor: int) -> Iterator[Order]:
        with suppress(BlockingIOError):
            os.read(descriptor, 4096)
        return iter(())

    def _lines(self, descriptor: int, answers: int) -> Iterator[Order] | None:
        """Orders that have come; None at the end."""
        try:
            data = os.read(descriptor, 4096)
        except OSError:
            data = b""
        if not data:
            return None
        *lines, rest = (self._unread.get(descriptor, b"") + data).split(b"\n")
        self._unread[descriptor] = rest
        return iter([Order(line.decode(errors="replace").strip(), answers) for line in lines])


class Pipe(Orders):
    """Orders on standard input, answers on standard output; the client ends with its input and with its parent."""

    def __init__(self, parent: int, orders: int = 0, answers: int = 1) -> None:
        super().__init__()
        self._parent = parent
        self._answers = answers
        self._selector.register(orders, _READ, self._read)
        signal.signal(_PARENT_DIED, lambda *_: self._orphan())
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(_PARENT_DIED), 0, 0, 0)
        self._orphan()

    def greet(self, line: str) -> None:
        """The first line on standard output."""
        if not Order("", self._answers).answer(line):
            self.stopping = True

    def _read(self, descriptor: int) -> Iterator[Order]:
        orders = self._lines(descriptor, self._answers)
        if orders is None:
            self.stopping = True
        return orders or iter(())

    def _orphan(self) -> None:
        """Stop if the parent is gone. The kernel also signals when only the thread that began this ended."""
        if os.getppid() != self._parent:
            self.stopping = True


class UnixSocket(Orders):
    """Orders on a unix socket, from anybody who may open it; who leaves ends nothing."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self._listener.bind(str(path))
        finally:
            os.umask(before)
        self._listener.listen()
        self._selector.register(self._listener, _READ, self._accept)

    def close(self) -> None:
        """Remove the socket."""
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self, _descriptor: int) -> Iterator[Order]:
        visitor, _ = self._listener.accept()
        self._selector.register(visitor.detach(), _READ, self._read)
        return iter(())

    def _read(self, descriptor: int) -> Iterator[Order]:
        orders = self._lines(descriptor, descriptor)
        if orders is None:
            self._selector.unregister(descriptor)
            self._unread.pop(descriptor, None)
            os.close(descriptor)
        return orders or iter(())


def relay(path: Path, orders: int = 0, answers: int = 1) -> int:
    """Carry lines from standard input to a client's socket and its answers back, until all are answered.

    Returns 0, or 3 when no client listens there; then that is said on the error output.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, selectors.DefaultSelector() as selector:
        try:
            client.connect(str(path))
        except OSError as error:
            # Not in the words of the system: a refused connection would be taken for one to the node.
            how = "its socket is not there" if isinstance(error, FileNotFoundError) else "nobody answers"
            sys.stderr.write(f"no client listens at {path}: {how}\n")
            return 3
        ways = {orders: client.fileno(), client.fileno(): answers}
        for source in ways:
            selector.register(source, _READ)
        while True:
            for key, _ in selector.select():
                data = os.read(key.fd, 4096)
                if data:
                    os.write(ways[key.fd], data)
                elif key.fd == orders:  # answers may still come; the client closes after the last
                    selector.unregister(orders)
                    client.shutdown(socket.SHUT_WR)
                else:
                    return 0
