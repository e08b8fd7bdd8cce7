"""The REST API of AWX: one server, its token, and requests that survive what passes.

A request that only reads is repeated while the server is away, overloaded or broken, up to `patience_seconds`. One
that changes something is repeated only when the server has said that it did not take it.
"""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import InfrastructureError, UsageError

__all__ = ["AwxError", "Client", "Lost", "Server"]

_HOST = ("E2E_AWX_HOST", "CONTROLLER_HOST", "TOWER_HOST")
_TOKEN = ("E2E_AWX_TOKEN", "CONTROLLER_OAUTH_TOKEN", "TOWER_OAUTH_TOKEN")
_PREFIX = "E2E_AWX_PREFIX"
_PATIENCE, _INTERVAL = "E2E_AWX_PATIENCE", "E2E_AWX_INTERVAL"
_DEFAULT_PREFIX = "/api/v2/"
_DEFAULT_PATIENCE, _DEFAULT_INTERVAL = 120.0, 1.0
_REQUEST_SECONDS = 30
_SHORTEST_INTERVAL = 0.05
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0
_PAGE = 200
_TRY_LATER = frozenset({429, 503})
_BROKEN = frozenset({500, 502, 504})
_TAKEN = 409
_LONGEST_WORDS = 300
_SHOWN_PATH = 120

Body = Mapping[str, Any]


class AwxError(InfrastructureError):
    """AWX refused a request or answered what cannot be used. `status` is that of HTTP."""

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class Lost(AwxError):
    """AWX did not answer for as long as the patience lasts."""


@dataclass(frozen=True)
class Server:
    """Where AWX is and who asks. The token is in no representation of it.

    `patience_seconds` is how long it may be away, `interval_seconds` lie between two looks at a job.
    """

    host: str
    token: str = field(repr=False)
    prefix: str = _DEFAULT_PREFIX
    patience_seconds: float = _DEFAULT_PATIENCE
    interval_seconds: float = _DEFAULT_INTERVAL

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Server:
        """Host, token and prefix of the API as the variables say.

        Raises:
            UsageError: one is missing or is no address.
        """
        found = os.environ if environment is None else environment
        host = _first(found, _HOST, "address of AWX")
        prefix = found.get(_PREFIX) or _controller_prefix(found)
        return cls(
            host=_address(host),
            token=_token(found),
            prefix=f"/{prefix.strip('/')}/",
            patience_seconds=_seconds(found, _PATIENCE, _DEFAULT_PATIENCE),
            interval_seconds=max(_SHORTEST_INTERVAL, _seconds(found, _INTERVAL, _DEFAULT_INTERVAL)),
        )

    def url(self, path: str, query: Mapping[str, object] | None = None) -> str:
        """The address of a path of the API, or of an absolute path that the API has given."""
        place = path if path.startswith("/") else f"{self.prefix}{path}"
        words = f"?{urllib.parse.urlencode(query)}" if query else ""
        return f"{self.host}{place}{words}"


def _first(found: Mapping[str, str], names: tuple[str, ...], what: str) -> str:
    value = next((found[name] for name in names if found.get(name)), "")
    if not value:
        raise UsageError(f"the {what} is not set", hint=f"export {names[0]} (or {names[1]})")
    return value


def _token(found: Mapping[str, str]) -> str:
    token = _first(found, _TOKEN, "token for AWX").strip()
    if not token.isascii() or not token.isprintable():
        raise UsageError(f"{_TOKEN[0]} holds characters that no token has", hint="copy it anew")
    return token


def _address(host: str) -> str:
    text = host if "://" in host else f"https://{host}"
    try:
        parts = urllib.parse.urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc or parts.query or parts.fragment:
        raise UsageError(f"{_HOST[0]} is no address of a server", hint="for example https://awx.example.org")
    return text.rstrip("/")


def _controller_prefix(found: Mapping[str, str]) -> str:
    """The collection awx.awx names the part before `v2`."""
    before = found.get("CONTROLLER_OPTIONAL_API_URLPATTERN_PREFIX")
    return f"{before.rstrip('/')}/v2/" if before else _DEFAULT_PREFIX


def _seconds(found: Mapping[str, str], name: str, otherwise: float) -> float:
    text = found.get(name, "")
    try:
        seconds = float(text) if text else otherwise
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        hint = f"for example {name}={otherwise:g}"
        raise UsageError(f"{name} is {text!r}, which is no number of seconds", hint=hint)
    return seconds


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token to another place."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Client:
    """Asks one server. Safe for several threads: it holds no connection and no state."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._opener = urllib.request.build_opener(_NoRedirect)

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """One object.

        Raises:
            Lost: the server did not answer for too long.
            AwxError: it refused.
        """
        found: dict[str, Any] = self._patient("GET", path, None, query)
        return found

    def each(self, path: str, **query: object) -> Iterator[dict[str, Any]]:
        """Every object of a list, page by page. Raises as `get`."""
        page = self.get(path, **{"page_size": _PAGE, **query})
        while True:
            yield from page.get("results", ())
            following = page.get("next")
            if not following:
                return
            page = self.get(str(following))

    def named(self, kind: str, name: str) -> dict[str, Any] | None:
        """The object of a kind (`job_templates`, ...) with this name, None when there is none. Raises as `get`."""
        return next(iter(self.each(kind + "/", name=name)), None)

    def post(self, path: str, body: Body) -> dict[str, Any]:
        """Make or start something. Not repeated unless the server said that it has not done it.

        Raises:
            Lost, AwxError: as `get`; after Lost nobody knows whether it was done.
        """
        found: dict[str, Any] = self._patient("POST", path, body, {})
        return found

    def patch(self, path: str, body: Body) -> dict[str, Any]:
        """Change something. Raises as `get`."""
        found: dict[str, Any] = self._patient("PATCH", path, body, {})
        return found

    def delete(self, path: str) -> None:
        """Remove something that may be gone already. Raises as `get`."""
        try:
            self._patient("DELETE", path, None, {})
        except AwxError as error:
            if error.status != 404:
                raise

    def _patient(self, method: str, path: str, body: Body | None, query: Mapping[str, object]) -> Any:
        deadline = Deadline(self.server.patience_seconds)
        pause = _FIRST_PAUSE
        while True:
            try:
                return self._once(method, self.server.url(path, query), body)
            except _Passing as passing:
                again = method != "POST" or passing.untaken
                if deadline.expired or not again:
                    raise passing.error from passing.__cause__
                deadline.pause(max(pause, passing.wait_seconds))
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _once(self, method: str, url: str, body: Body | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.server.token}", "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=_REQUEST_SECONDS) as answer:
                return _content(answer.read(), url)
        except urllib.error.HTTPError as error:
            with error:
                self._refused(error, method)
        except (OSError, http.client.HTTPException) as error:
            raise self._away(error) from error

    def _away(self, error: OSError | http.client.HTTPException) -> _Passing:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        hint = "is it running, and is E2E_AWX_HOST its address?"
        lost = Lost(f"{self.server.host} does not answer: {text}", hint=hint)
        return _Passing(lost, untaken=isinstance(reason, ConnectionRefusedError))

    def _refused(self, error: urllib.error.HTTPError, method: str) -> NoReturn:
        status, words = error.code, _words(error.read())
        place = urllib.parse.urlsplit(error.url).path[:_SHOWN_PATH]
        text = f"{self.server.host} answered {status} to {method} {place}" + (f": {words}" if words else "")
        if status in _TRY_LATER or status in _BROKEN or status == _TAKEN:
            lost = (AwxError if status == _TAKEN else Lost)(text, status=status)
            raise _Passing(
                lost, untaken=status in _TRY_LATER or status == _TAKEN, wait_seconds=_retry_after(error)
            )
        raise AwxError(text, hint=_HINTS.get(status, ""), status=status)


class _Passing(Exception):
    """What may be over at the next try; `untaken` says that the server has surely not done what was asked."""

    def __init__(self, error: AwxError, *, untaken: bool = False, wait_seconds: float = 0) -> None:
        super().__init__(str(error))
        self.error = error
        self.untaken = untaken
        self.wait_seconds = wait_seconds


_HINTS = {
    301: "the API is at another address: E2E_AWX_HOST, E2E_AWX_PREFIX",
    302: "the API is at another address: E2E_AWX_HOST, E2E_AWX_PREFIX",
    401: "the token is wrong or has expired; make one in AWX (Users, Tokens) and export E2E_AWX_TOKEN",
    403: "the user of the token may not do this; give it the role Execute, or Admin for awx_setup.yml",
    404: "is E2E_AWX_PREFIX right? /api/v2/ for AWX, /api/controller/v2/ behind a gateway",
}


def _retry_after(error: urllib.error.HTTPError) -> float:
    text = str(error.headers.get("Retry-After") or "")
    return float(text) if text.isdecimal() and len(text) < 5 else 0.0


def _content(data: bytes, url: str) -> Any:
    if not data:
        return {}
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        place = urllib.parse.urlsplit(url).path[:_SHOWN_PATH]
        raise AwxError(f"what {place} answered is not that of AWX", hint=_HINTS[404])
    return found


def _words(data: bytes) -> str:
    """What AWX says about a refusal, in one line."""
    try:
        found = json.loads(data)
    except ValueError:
        return ""
    if isinstance(found, dict):
        parts = [_part(key, value) for key, value in found.items()]
        return "; ".join(parts)[:_LONGEST_WORDS]
    return str(found)[:_LONGEST_WORDS]


def _part(key: str, value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if key in ("detail", "error", "__all__") else f"{key}: {text}"
