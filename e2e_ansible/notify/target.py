"""Where messages go, as the user says it: `webhook:URL`, `slack:URL`, `mailto:ADDRESS?server=...`."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from e2e_ansible.errors import UsageError
from e2e_ansible.names import nearest, suggestion
from e2e_ansible.notify.scrub import Secrets
from e2e_ansible.notify.source import Sources

__all__ = ["Hook", "Mail", "Target", "host_of", "http_url", "parse_target"]

_KINDS = ("webhook", "slack", "mailto")
_OPTIONS = ("server", "starttls", "tls", "from", "user", "password")
_ADDRESS = re.compile(r"[^@\s,<>\"]+@[^@\s,<>\"]+")
_YES, _NO = ("yes", "true", "1", "on"), ("no", "false", "0", "off")
_PORT, _PORT_STARTTLS, _PORT_TLS = 25, 587, 465
_LOCAL = ("localhost", "127.0.0.1", "::1")
_EXAMPLE = "for example webhook:https://host/path, slack:https://host/path, mailto:a@b?server=host:587"


@dataclass(frozen=True)
class Hook:
    """An address that takes a POST of JSON. The address is in no representation of it."""

    kind: Literal["webhook", "slack"]
    url: str = field(repr=False)

    @property
    def name(self) -> str:
        """Like `slack hooks.example.org`."""
        return f"{self.kind} {host_of(self.url)}"


@dataclass(frozen=True)
class Mail:
    """A server that takes mail, and who gets it. `security` is that of the connection."""

    to: tuple[str, ...]
    sender: str
    host: str
    port: int
    security: Literal["none", "starttls", "tls"] = "none"
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """Like `mail to a@b`."""
        return f"mail to {', '.join(self.to)}"


Target = Hook | Mail


def parse_target(text: str, sources: Sources, secrets: Secrets) -> Target:
    """One target. What is secret in it is added to `secrets` first, so that no message shows it.

    Raises:
        UsageError: it is none; the message does not repeat it.
    """
    kind, colon, rest = text.partition(":")
    if not colon or kind not in _KINDS:
        secrets.add_url(text)
        shown = kind if colon and kind.isidentifier() else ""
        near = nearest(shown, _KINDS) if shown else None
        text = f"{shown!r} is no kind of target" if shown else "that is no target"
        raise UsageError(text, hint=f"did you mean {near!r}?" if near else _EXAMPLE)
    if kind == "mailto":
        return _mail(rest, sources, secrets)
    return Hook(
        "slack" if kind == "slack" else "webhook", http_url(rest, f"the address of a {kind}", secrets)
    )


def http_url(url: str, what: str, secrets: Secrets, example: str = _EXAMPLE) -> str:
    """An address with http or https; `what` it is, for messages.

    Raises:
        UsageError: it is none; the message does not repeat it.
    """
    secrets.add_url(url)
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii():
        raise UsageError(f"{what} is no http or https address", hint=example)
    if re.search(r"[\x00-\x20\x7f]", url):
        raise UsageError(f"{what} holds spaces or control characters", hint="write them as %20")
    return url


def host_of(url: str) -> str:
    """Host and port of an address: the part of it that everybody may see."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts if port != 0 else None


def _mail(text: str, sources: Sources, secrets: Secrets) -> Mail:
    to, _, query = text.partition("?")
    addresses = tuple(unquote(part).strip() for part in to.split(","))
    for address in addresses:
        _check_address(address)
    options = _options(query)
    starttls, tls = _flag(options, "starttls"), _flag(options, "tls")
    host, port = _server(options.get("server", "localhost"), starttls=starttls, tls=tls)
    sender = options.get("from") or f"e2e-ansible@{socket.gethostname() or 'localhost'}"
    _check_address(sender)
    security = _security(port, starttls=starttls, tls=tls)
    user, password = _login(options, sources)
    secrets.add(password)
    if user and security == "none" and host not in _LOCAL:
        raise UsageError(f"the password would go to {host} in the clear", hint="add starttls=yes or tls=yes")
    return Mail(addresses, sender, host, port, security, user, password)


def _check_address(address: str) -> None:
    if not _ADDRESS.fullmatch(address) or not address.isprintable():
        raise UsageError(f"{address!r} is no mail address", hint="for example mailto:a@example.org")


def _options(query: str) -> dict[str, str]:
    found = dict(parse_qsl(query, keep_blank_values=True))
    for name in found:
        if name not in _OPTIONS:
            raise UsageError(f"a mailto target has no option {name!r}", hint=suggestion(name, _OPTIONS))
    return found


def _flag(options: dict[str, str], name: str) -> bool | None:
    word = options.get(name)
    if word is not None and word.lower() not in _YES + _NO:
        raise UsageError(f"{name} is {word!r}", hint="say yes or no")
    return None if word is None else word.lower() in _YES


def _server(text: str, *, starttls: bool | None, tls: bool | None) -> tuple[str, int]:
    parts = _split(f"smtp://{text}")
    if parts is None or not parts.hostname or parts.path or "@" in text:
        raise UsageError(f"{text!r} is no mail server", hint="for example server=mail.example.org:587")
    usual = _PORT_TLS if tls else _PORT_STARTTLS if starttls else _PORT
    return parts.hostname, parts.port or usual


def _security(port: int, *, starttls: bool | None, tls: bool | None) -> Literal["none", "starttls", "tls"]:
    """What was said; else what the port is for."""
    if tls and starttls:
        raise UsageError("tls and starttls exclude each other", hint="port 465 has tls, port 587 starttls")
    if tls or (tls is None and not starttls and port == _PORT_TLS):
        return "tls"
    return "starttls" if starttls or (starttls is None and port == _PORT_STARTTLS) else "none"


def _login(options: dict[str, str], sources: Sources) -> tuple[str, str]:
    user, word = options.get("user", ""), options.get("password", "")
    if bool(user) != bool(word):
        raise UsageError("user and password of a mail server go together", hint="add the other one")
    return user, sources.secret(word, "password") if word else ""
