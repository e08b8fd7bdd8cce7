"""Server boards for tests: the Redfish emulator of sushy-tools with its fake driver, over TLS, as a process.

What it lacks stands in front of it: sessions, and answers that are errors for a while. The pause of its driver
between an order and the new state is ours to choose, and of an NMI, which it only offers, it makes a note.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from e2e_ansible.deadline import Deadline

__all__ = ["Boards", "boards"]

USER, PASSWORD = "operator", "redfish-Geheimnis-1"
_START_SECONDS = 30
_SESSIONS = "/redfish/v1/SessionService/Sessions"


class Boards:
    """A running service with one system for each name."""

    def __init__(self, folder: Path, port: int, systems: Mapping[str, str]) -> None:
        self.folder = folder
        self.systems = systems
        self.url = f"https://127.0.0.1:{port}"
        self.ca = folder / "ca.pem"
        self.password_file = folder / "password"

    def variables(self, name: str) -> dict[str, str]:
        """Host variables of an inventory."""
        return {
            "e2e_redfish_url": self.url,
            "e2e_redfish_system": self.systems[name],
            "e2e_redfish_username": USER,
            "e2e_redfish_password_file": str(self.password_file),
            "e2e_redfish_ca": str(self.ca),
        }

    def behave(self, **how: object) -> None:
        """`delay` seconds to a new state; `status` and `said`, with which the next `fails` requests are answered.

        `sessions` and `nmi` may be False for a service that has none.
        """
        write = self.folder / "behave.new"
        write.write_text(json.dumps(how))
        write.rename(self.folder / "behave.json")

    @property
    def notes(self) -> list[str]:
        """What the service was told, one line each, oldest first."""
        path = self.folder / "notes"
        return path.read_text().splitlines() if path.exists() else []

    def resets(self, name: str) -> list[str]:
        """Kinds of reset that a system was asked for."""
        return [line.split()[2] for line in self.notes if line.startswith(f"reset {self.systems[name]} ")]


@contextmanager
def boards(folder: Path, names: Sequence[str], *, on: bool = True) -> Iterator[Boards]:
    """Start the service, and end it by its id."""
    folder.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Boards(folder, port, {name: str(uuid.uuid4()) for name in names})
    made.password_file.write_text(f"{PASSWORD}\n")
    made.password_file.chmod(0o600)
    made.behave()
    _certificate(folder)
    start = {"port": port, "on": on, "systems": made.systems}
    (folder / "start.json").write_text(json.dumps(start))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, __file__, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )
    try:
        Deadline(_START_SECONDS).wait_for(lambda: process.poll() is not None or _listens(port), 0.05)
        assert process.poll() is None and _listens(port), (folder / "log").read_text()
        yield made
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _certificate(folder: Path) -> None:
    """A key and a certificate for 127.0.0.1 that nobody else trusts."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "boards of a test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    (folder / "ca.pem").write_bytes(certificate.public_bytes(pem))


# ---- the process

Start = Callable[..., Any]


class _Front:
    """Notes, errors on demand, and sessions, in front of the emulator."""

    def __init__(self, folder: Path, inner: Callable[[dict[str, Any], Start], Iterable[bytes]]) -> None:
        self._folder = folder
        self._inner = inner
        self._failed = 0
        self._tokens: dict[str, str] = {}

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        how = _how(self._folder)
        self._failed = self._failed if how.get("fails") else 0
        if self._failed < how.get("fails", 0):
            self._failed += 1
            said = how.get("said", {"error": {"message": "not now"}})
            return _answer(start, how["status"], said)
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path == _SESSIONS and method == "POST":
            return self._log_in(environ, start)
        token = environ.pop("HTTP_X_AUTH_TOKEN", "")
        if token and token not in self._tokens:
            return _answer(start, 401, {"error": {"message": "this session has ended"}})
        if token:
            environ["HTTP_AUTHORIZATION"] = self._tokens[token]
        if path.startswith(f"{_SESSIONS}/") and method == "DELETE":
            self._tokens.pop(path.rpartition("/")[2], None)
            _note(self._folder, "session ended")
            return _answer(start, 204, None)
        return self._inner(environ, start)

    def _log_in(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        given = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        if _how(self._folder).get("sessions") is False:
            return _answer(start, 404, {"error": {"message": "no sessions here"}})
        if given != {"UserName": USER, "Password": PASSWORD}:
            return _answer(start, 401, {"error": {"message": f"wrong: {given}"}})
        token = uuid.uuid4().hex
        self._tokens[token] = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        _note(self._folder, "session begun")
        more = [("X-Auth-Token", token), ("Location", f"{_SESSIONS}/{token}")]
        return _answer(start, 201, {}, more)


def _answer(start: Start, status: int, body: object, more: Sequence[tuple[str, str]] = ()) -> Iterable[bytes]:
    content = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    start(f"{status} as told", [("Content-Type", "application/json"), *more])
    return [content]


def _how(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "behave.json").read_text()))


def _note(folder: Path, text: str) -> None:
    with (folder / "notes").open("a") as notes:
        notes.write(f"{text}\n")


def _serve(folder: Path) -> None:
    import bcrypt
    from sushy_tools.emulator.main import app
    from sushy_tools.emulator.resources.systems import fakedriver

    told = json.loads((folder / "start.json").read_text())
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4, b"2b")).decode()
    (folder / "htpasswd").write_text(f"{USER}:{hashed.replace('$2b$', '$2y$')}\n")

    def ordered(driver: Any, identity: str, kind: str) -> None:
        _note(folder, f"reset {identity} {kind}")
        if kind != "Nmi" or _how(folder).get("nmi") is False:
            order(driver, identity, kind)

    order = fakedriver.FakeDriver.set_power_state
    fakedriver.FakeDriver.set_power_state = ordered
    fakedriver.random = SimpleNamespace(randint=lambda _least, _most: _how(folder).get("delay", 0))
    (folder / "state").mkdir()
    app.configure(
        extra_config={
            "SUSHY_EMULATOR_FAKE_DRIVER": True,
            "SUSHY_EMULATOR_AUTH_FILE": str(folder / "htpasswd"),
            "SUSHY_EMULATOR_STATE_DIR": str(folder / "state"),
            "SUSHY_EMULATOR_FAKE_SYSTEMS": [
                {"uuid": system, "name": name, "power_state": "On" if told["on"] else "Off", "nics": []}
                for name, system in told["systems"].items()
            ],
        }
    )
    app.wsgi_app = _Front(folder, app.wsgi_app)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    app.run(host="127.0.0.1", port=told["port"], ssl_context=context, threaded=True)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
