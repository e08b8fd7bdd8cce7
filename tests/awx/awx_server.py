"""A server that answers as AWX 24.6.1 does, over a real socket, and really runs its jobs from this checkout.

It has the state of AWX (organizations, projects, inventories with sources, credential types, job templates with
surveys, workflow templates with nodes, jobs with events), its rules (tokens, pages, names that are taken, prompts
that are ignored, edges of workflows, variables that are inert), and can be told to be slow, broken or away.
"""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from awx_jobs import Runner
from awx_state import Refused, State

TOKEN = "t0ken-of-a-test"
_MOST_PER_PAGE = 200
_NO_FILTERS = frozenset({"page", "page_size", "order_by"})
_OPERATORS: Mapping[str, Callable[[Any, str], bool]] = {
    "gt": lambda value, text: float(value) > float(text),
    "iexact": lambda value, text: str(value).lower() == text.lower(),
    "in": lambda value, text: str(value) in text.split(","),
}


@dataclass
class Fault:
    """An answer in place of the right one; the request is not done. `status` 0 closes the connection."""

    path: str
    status: int
    method: str = ""
    times: int = 1
    retry_after: str = ""
    location: str = ""
    after: bool = False

    def fits(self, method: str, path: str) -> bool:
        return self.times > 0 and self.method in ("", method) and re.search(self.path, path) is not None


@dataclass
class Awx:
    """The running server."""

    folder: Path
    prefix: str = "/api/v2/"
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    away: bool = False

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.state = State(self.prefix, self.lock)
        self.runner = Runner(self.state, self.folder)
        handler = type("Handler", (_Handler,), {"awx": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def variables(self) -> dict[str, str]:
        """What a client needs to know."""
        return {
            "E2E_AWX_HOST": self.host,
            "E2E_AWX_TOKEN": TOKEN,
            "E2E_AWX_PATIENCE": "20",
            "E2E_AWX_INTERVAL": "0.1",
        }

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self.runner.close()

    def asked(self, method: str, path: str = "") -> list[str]:
        """The paths that were asked for by this method."""
        return [found for how, found in self.requests if how == method and path in found]

    def fault(self, path: str, status: int, **more: Any) -> Fault:
        made = Fault(path, status, **more)
        self.faults.append(made)
        return made


@contextmanager
def running(folder: Path, **more: Any) -> Iterator[Awx]:
    """A server until the end of the block; no job of it outlives that."""
    server = Awx(folder, **more)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class _Handler(BaseHTTPRequestHandler):
    awx: Awx
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PATCH(self) -> None:
        self._serve("PATCH")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def log_message(self, *_: Any) -> None:
        """Tests print enough."""

    def _serve(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urllib.parse.urlsplit(self.path)
        self.awx.requests.append((method, self.path))
        if self.awx.away:
            self.close_connection = True
            return
        fault = next((each for each in self.awx.faults if each.fits(method, self.path)), None)
        if fault is not None:
            fault.times -= 1
            if fault.after:
                self._answer(method, address, body)
            self._fail(fault)
            return
        status, content = self._answer(method, address, body)
        self._send(status, content)

    def _fail(self, fault: Fault) -> None:
        if fault.status == 0:
            self.close_connection = True
            return
        told = {"Retry-After": fault.retry_after, "Location": fault.location}
        headers = {key: value for key, value in told.items() if value}
        self._send(fault.status, {"detail": "as the test wants it"}, headers)

    def _answer(self, method: str, address: urllib.parse.SplitResult, body: bytes) -> tuple[int, Any]:
        if not address.path.startswith(self.awx.prefix):
            return 404, {"detail": "The requested resource could not be found."}
        place = address.path.removeprefix(self.awx.prefix)
        if place != "ping/" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            words = "Authentication credentials were not provided. To establish a login session, visit /api/login/."
            return 401, {"detail": words}
        try:
            asked = json.loads(body) if body else {}
        except ValueError as error:
            return 400, {"detail": f"JSON parse error - {error}"}
        query = dict(urllib.parse.parse_qsl(address.query))
        try:
            with self.awx.lock:
                return self._do(method, place, query, asked)
        except Refused as refused:
            return refused.status, refused.content
        except KeyError:
            return 404, {"detail": "Not found."}

    def _do(self, method: str, place: str, query: Mapping[str, str], asked: Any) -> tuple[int, Any]:
        parts = place.strip("/").split("/")
        if place == "ping/":
            return 200, {"version": "24.6.1", "active_node": "awx"}
        state, runner = self.awx.state, self.awx.runner
        match [method, *parts]:
            case ["GET", kind]:
                return 200, self._page(place, state.each(kind), query)
            case ["POST", kind]:
                return 201, state.create(kind, asked)
            case ["GET", kind, number]:
                return 200, state.get(kind, int(number))
            case ["PATCH", kind, number]:
                return 200, state.change(kind, int(number), asked)
            case ["DELETE", kind, number]:
                state.remove(kind, int(number))
                return 204, None
            case ["GET", "job_templates" | "workflow_job_templates" as kind, number, "launch"]:
                return 200, state.launch_needs(kind, int(number))
            case ["POST", "job_templates" | "workflow_job_templates" as kind, number, "launch"]:
                return 201, runner.launch(kind, int(number), asked)
            case ["POST", "jobs" | "workflow_jobs" as kind, number, "cancel"]:
                runner.cancel(kind, int(number))
                return 202, None
            case ["GET", _, number, "survey_spec"]:
                return 200, state.surveys.get(int(number), {})
            case ["POST", _, number, "survey_spec"]:
                state.surveys[int(number)] = asked
                return 200, None
            case ["GET", "jobs", number, "job_events"]:
                return 200, self._page(place, runner.visible_events(int(number)), query)
            case ["GET", kind, number, relation]:
                return 200, self._page(place, state.related(kind, int(number), relation), query)
            case ["POST", kind, number, relation]:
                made = state.relate(kind, int(number), relation, asked)
                return (204, None) if made is None else (201, made)
        return 405, {"detail": f'Method "{method}" not allowed.'}

    def _page(self, place: str, found: list[dict[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
        chosen = [each for each in found if _fits(each, query)]
        order = query.get("order_by", "id")
        chosen.sort(key=lambda each: each.get(order, 0))
        size = min(int(query.get("page_size", 25)), _MOST_PER_PAGE)
        page = int(query.get("page", 1))
        if page > 1 and (page - 1) * size >= len(chosen):
            raise Refused(404, {"detail": "Invalid page."})
        more = page * size < len(chosen)
        following = urllib.parse.urlencode({**query, "page": page + 1})
        return {
            "count": len(chosen),
            "next": f"{self.awx.prefix}{place}?{following}" if more else None,
            "previous": None,
            "results": chosen[(page - 1) * size : page * size],
        }

    def _send(self, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
        data = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", "24.6.1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        try:
            self.wfile.write(data)
        except OSError:  # the client has gone
            self.close_connection = True


def _fits(found: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    filters = {key: value for key, value in query.items() if key not in _NO_FILTERS}
    any_of = {key[4:]: value for key, value in filters.items() if key.startswith("or__")}
    all_of = {key: value for key, value in filters.items() if not key.startswith("or__")}
    if any_of and not any(_holds(found, key, value) for key, value in any_of.items()):
        return False
    return all(_holds(found, key, value) for key, value in all_of.items())


def _holds(found: Mapping[str, Any], key: str, text: str) -> bool:
    name, _, operator = key.partition("__")
    if name not in found:
        raise Refused(400, {"detail": f"{found.get('type')} has no field named '{name}'"})
    if operator:
        return _OPERATORS[operator](found[name], text)
    return str(found[name]) == text


def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    """Wait for what the server is about to do."""
    from e2e_ansible.deadline import Deadline

    assert Deadline(seconds).wait_for(condition, 0.02), "it did not come about"


def add_step_template(server: Awx, **more: Any) -> dict[str, Any]:
    """The job template of the steps, as playbooks/awx_setup.yml makes it."""
    state = server.state
    project = state.create("projects", {"name": "e2e-ansible", "organization": 1})
    inventory = state.create("inventories", {"name": "e2e nodes", "organization": 1})
    wanted = {
        "name": "e2e step",
        "playbook": "playbooks/step.yml",
        "project": project["id"],
        "inventory": inventory["id"],
        "ask_variables_on_launch": True,
        "ask_timeout_on_launch": True,
        "allow_simultaneous": True,
    }
    return state.create("job_templates", {**wanted, **more})
