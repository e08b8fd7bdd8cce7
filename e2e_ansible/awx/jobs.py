"""One job of AWX: started, watched until all of its events are there, and ended as an engine ends a playbook.

Events are stored by several processes, so a later one can be seen before an earlier one, and all of them after the
status. They are handed on strictly by `counter`; behind a gap they wait until AWX says that it has processed all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from e2e_ansible.awx.client import AwxError, Client, Lost
from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Cancel, Ended, Outcome

__all__ = ["Job", "cancel", "follow", "launch", "page_of", "seconds_of"]

_SUCCESSFUL, _FAILED, _ERROR = "successful", "failed", "error"
TERMINAL = frozenset({_SUCCESSFUL, _FAILED, _ERROR, "canceled"})
_TIMED_OUT = "timeout"
_CANNOT_CANCEL = 405
_PROCESSING_SECONDS = 60
_FAILURES = (Kind.FAILED, Kind.ERROR, Kind.UNREACHABLE, Kind.ASYNC_FAILED)
_RC_FAILED_HOSTS, _RC_OTHER = 2, 1

Object = Mapping[str, Any]


@dataclass
class Job:
    """A job while it is watched. `interval_seconds` lie between two looks; `path` is that of its kind and number."""

    client: Client
    path: str
    interval_seconds: float = 1.0
    last: Object = field(default_factory=dict)
    _counter: int = 0
    _failed: bool = False
    _asked: bool = False

    def look(self) -> Object:
        """The job as it is now. Raises as `Client.get`."""
        self.last = self.client.get(self.path)
        return self.last

    @property
    def ended(self) -> bool:
        """Whether it has a status that no job leaves."""
        return self.last.get("status") in TERMINAL

    def events(self, *, all_there: bool) -> Iterator[Event]:
        """The events that are new; up to the first gap unless all are there. Raises as `Client.get`."""
        path = f"{self.path}job_events/"
        for raw in self.client.each(path, order_by="counter", counter__gt=self._counter):
            if raw["counter"] != self._counter + 1 and not all_there:
                return
            self._counter = raw["counter"]
            event = Event.of(raw)
            if event.kind in _FAILURES and not event.data.get("ignore_errors"):
                self._failed = True
            yield event

    def cancel(self) -> None:
        """Ask AWX to end it; once is enough."""
        if not self._asked:
            self._asked = True
            cancel(self.client, self.path)

    def outcome(self) -> Outcome:
        """How it ended, in the words of an engine."""
        status = self.last.get("status")
        explanation = str(self.last.get("job_explanation") or "")
        if status == _SUCCESSFUL:
            return _outcome(Ended.COMPLETED, 0)
        if status == "canceled":
            return _outcome(Ended.CANCELED, None, explanation or "the job was canceled")
        if _TIMED_OUT in explanation.lower():
            return _outcome(Ended.TIMEOUT, None, f"AWX ended the job: {explanation}")
        if status == _ERROR or (explanation and not self._failed):
            return _outcome(
                Ended.ERROR, None, f"AWX could not run the job: {explanation or self._traceback()}"
            )
        return _outcome(Ended.COMPLETED, _RC_FAILED_HOSTS if self._failed else _RC_OTHER)

    def _traceback(self) -> str:
        lines = str(self.last.get("result_traceback") or "").strip().splitlines()
        return lines[-1] if lines else "it says no reason"


def launch(client: Client, path: str, asked: Object) -> Object:
    """Start a template; `path` is that of the template, `asked` what it is to prompt for.

    Raises:
        AwxError: it needs something that was not given, or would ignore something that was; nothing was started.
    """
    can = client.get(f"{path}launch/")
    missing = [str(name) for name in can.get("variables_needed_to_start", ())]
    missing = [name for name in missing if name not in asked.get("extra_vars", {})]
    if missing:
        raise AwxError(f"the template needs {', '.join(missing)}", hint="-e NAME=VALUE")
    _refuse_ignored({key: item for key, item in asked.items() if item and not _asks(can, key)})
    started = client.post(f"{path}launch/", {key: item for key, item in asked.items() if item})
    ignored = started.get("ignored_fields") or {}
    if ignored:
        cancel(client, str(started.get("url") or _url(started)))
        _refuse_ignored(ignored)
    return started


def _asks(can: Object, key: str) -> bool:
    """Whether a launch may say this; a survey takes its own variables even if no others are asked for."""
    if key == "limit":
        return bool(can.get("ask_limit_on_launch"))
    return bool(can.get("ask_variables_on_launch") or can.get("survey_enabled"))


def _url(started: Object) -> str:
    return f"{started.get('type', 'job')}s/{started['id']}/"


def _refuse_ignored(ignored: Object) -> None:
    if ignored:
        names = ", ".join(name for key, item in ignored.items() for name in _names(str(key), item))
        hint = "set 'Prompt on launch' for them; playbooks/awx_setup.yml does"
        raise AwxError(f"the template would ignore {names}, so it was not run", hint=hint)


def _names(key: str, item: object) -> Iterator[str]:
    if key == "extra_vars" and isinstance(item, Mapping):
        yield from sorted(map(str, item))
    else:
        yield key


def cancel(client: Client, path: str) -> None:
    """Ask AWX to end a job or workflow job; one that has ended already is left alone. Raises as `Client.post`."""
    try:
        client.post(f"{path}cancel/", {})
    except AwxError as error:
        if error.status != _CANNOT_CANCEL:
            raise


def follow(job: Job, on_event: Callable[[Event], None], stop: Cancel, leave: Cancel) -> Outcome:
    """Watch a job to its end; never raises for what the server does.

    A `stop` cancels the job and waits for its end, `leave` ends the watch.
    """
    try:
        return _follow(job, on_event, stop, leave)
    except Lost as error:
        text = f"{error}; job {job.last.get('id', '?')} may still run, nobody knows how it ends"
        return _outcome(Ended.LOST, None, text)
    except AwxError as error:
        return _outcome(Ended.LOST, None, str(error))


def _follow(job: Job, on_event: Callable[[Event], None], stop: Cancel, leave: Cancel) -> Outcome:
    late: Deadline | None = None
    while True:
        if stop.is_set:
            job.cancel()
        if leave.is_set:
            return _outcome(Ended.CANCELED, None, "interrupted twice: nobody waits for the end of the job")
        status = job.look()
        complete = job.ended and bool(status.get("event_processing_finished", True))
        for event in job.events(all_there=complete):
            on_event(event)
        if complete:
            return job.outcome()
        if job.ended:
            late = late or Deadline(_PROCESSING_SECONDS)
            if late.expired:
                text = f"AWX has not processed the events of job {status.get('id')} {late.seconds:g} s after its end"
                return _outcome(Ended.LOST, None, text)
        pause(stop, job.interval_seconds, asked=stop.is_set)


def pause(stop: Cancel, seconds: float, *, asked: bool) -> None:
    """Wait; a stop that nobody has heard of yet ends the wait."""
    if asked:
        Deadline(seconds).pause(seconds)
    else:
        stop.wait(seconds)


def _outcome(ended: Ended, rc: int | None, message: str = "") -> Outcome:
    return Outcome(ended=ended, rc=rc, message=message, engine="awx")


def seconds_of(moment: object) -> float | None:
    """A time of the API (`2026-11-20T18:34:29.991778Z`) in seconds since 1970, None when there is none."""
    try:
        return datetime.fromisoformat(str(moment)).timestamp() if moment else None
    except ValueError:
        return None


def page_of(client: Client, started: Object) -> str:
    """Where a person sees the job."""
    kind = "workflow" if started.get("type") == "workflow_job" else "playbook"
    return f"{client.server.host}/#/jobs/{kind}/{started['id']}"
