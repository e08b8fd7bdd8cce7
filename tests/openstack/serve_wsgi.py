"""Serves the WSGI application of one OpenStack service over HTTP on 127.0.0.1.

Run by the Python that has the service: `serve_wsgi.py MODULE PORT`, for example `placement.wsgi.api 8778`.
"""

import importlib
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


class Server(WSGIServer):
    """One request after the other, which is what an SQLite file can bear."""

    request_queue_size = 64


class Threading(ThreadingMixIn, Server):
    """One thread for each request; they end with the process."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Does not look up who asks, and writes no line for each request."""

    def address_string(self):
        return str(self.client_address[0])

    def log_message(self, format, *args):  # noqa: A002  # the name is the base's
        pass


def serve(application, port, server=Server):
    """Until the process is ended."""
    make_server("127.0.0.1", port, application, server_class=server, handler_class=Quiet).serve_forever()


if __name__ == "__main__":
    module, port = sys.argv[1:]
    sys.argv[1:] = []
    serve(importlib.import_module(module).application, int(port))
