"""The network of plugins that know one address only: a proxy that leads names of clouds to a fake on loopback.

The plugin is as it is; what it obeys are the variables that say which proxy and which certificates to use.
"""

from __future__ import annotations

import datetime
import ipaddress
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_SECONDS = 20.0


@contextmanager
def leading(routes: Mapping[str, int], folder: Path) -> Iterator[Mapping[str, str]]:
    """The variables of a process whose HTTPS to each name of `routes` ends at that port of loopback, as HTTP."""
    _certify(sorted(routes), folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=_serve, args=(listener, context, routes))
        thread.start()
        try:
            certificate = str(folder / "certificate.pem")
            yield {
                **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), url),
                **dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), certificate),
                **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
            }
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, context: ssl.SSLContext, routes: Mapping[str, int]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # the end
            return
        threading.Thread(target=_lead, args=(client, context, routes), daemon=True).start()


def _lead(client: socket.socket, context: ssl.SSLContext, routes: Mapping[str, int]) -> None:
    client.settimeout(_SECONDS)
    with client:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        method, target, _ = head.decode().split(" ", 2)
        port = routes.get(target.partition(":")[0])
        if method != "CONNECT" or port is None:
            client.sendall(b"HTTP/1.1 502 no such name here\r\n\r\n")
            return
        client.sendall(b"HTTP/1.1 200 connected\r\n\r\n")
        with (
            context.wrap_socket(client, server_side=True) as safe,
            socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as server,
        ):
            _carry(safe, server)


def _carry(safe: ssl.SSLSocket, server: socket.socket) -> None:
    """What either says, until one of them ends."""
    while True:
        ready = [safe] if safe.pending() else select.select([safe, server], [], [], _SECONDS)[0]
        for one, send in _pairs(safe, server):
            if one in ready:
                said = one.recv(65536)
                if not said:
                    return
                send(said)
        if not ready:
            return


def _pairs(
    safe: ssl.SSLSocket, server: socket.socket
) -> Sequence[tuple[socket.socket, Callable[[bytes], None]]]:
    return ((safe, server.sendall), (server, safe.sendall))


def _certify(names: Sequence[str], folder: Path) -> None:
    """A certificate of these names, which is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "names of clouds")])
    now = datetime.datetime.now(datetime.UTC)
    also = [*map(x509.DNSName, names), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(also), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
