"""A fake of Microsoft's login: where to ask for a token, and one for whoever has the secret."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

NAMES = ("login.microsoftonline.com", "login.microsoft.com")
TENANT = "a-tenant"
_AUTHORITY = f"https://{NAMES[0]}/{TENANT}"
_WHERE = f"{_AUTHORITY}/v2.0/.well-known/openid-configuration"
_DISCOVERY = {
    "tenant_discovery_endpoint": _WHERE,
    "metadata": [{"preferred_network": NAMES[0], "preferred_cache": NAMES[0], "aliases": list(NAMES)}],
}
_CONFIGURATION = {
    "issuer": f"{_AUTHORITY}/v2.0",
    "authorization_endpoint": f"{_AUTHORITY}/oauth2/v2.0/authorize",
    "token_endpoint": f"{_AUTHORITY}/oauth2/v2.0/token",
}


class _Handler(BaseHTTPRequestHandler):
    secret = token = ""

    def do_GET(self) -> None:
        self._tell(200, _DISCOVERY if "/discovery/instance" in self.path else _CONFIGURATION)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if form.get("client_secret") == [self.secret]:
            self._tell(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": self.token})
        else:
            self._tell(401, {"error": "invalid_client", "error_description": "AADSTS7000215: wrong secret"})

    def _tell(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def login(secret: str, token: str) -> Iterator[int]:
    """The port of loopback where it is served, as HTTP."""
    handler = type("Handler", (_Handler,), {"secret": secret, "token": token})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
