"""A proxy on the loopback that loses the connection when the client sends certain bytes."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress


class CuttingProxy:
    """Carries one connection after the other to a port until `cut` is seen in what the client sends.

    With `before` the server never gets those bytes; else it does, and its answer is lost.
    """

    def __init__(self, port: int, cut: bytes, *, before: bool) -> None:
        self._server = port
        self._cut = cut
        self._before = before
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> CuttingProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client, socket.create_connection(("127.0.0.1", self._server)) as server:
                    self._carry(client, server)

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        with selectors.DefaultSelector() as selector:
            for side in other:
                selector.register(side, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    data = source.recv(65_536)
                    cut = source is client and self._cut in data
                    if data and not (cut and self._before):
                        other[source].sendall(data)
                    if cut and not self._before:
                        server.recv(65_536)  # it has answered, so it has done it
                    if cut or not data:
                        return
