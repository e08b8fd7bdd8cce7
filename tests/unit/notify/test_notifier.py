"""A notification that fails neither fails nor delays a run, and is always told and written down."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from receivers import SECONDS, Receiver, free_port, mail_server, receiver
from soak_script import alert, cycle, ended, phase, started

from e2e_ansible.deadline import Deadline
from e2e_ansible.notify.courier import Patience
from e2e_ansible.notify.deliveries import FILE
from e2e_ansible.notify.news import Reporter
from e2e_ansible.notify.notifier import Notifier, heard
from e2e_ansible.notify.scrub import Secrets
from e2e_ansible.notify.source import Sources
from e2e_ansible.notify.target import Hook, Mail, Target, parse_target
from e2e_ansible.notify.when import NotifyOn
from e2e_ansible.report.notice import Message, Notice
from e2e_ansible.run.context import Megaphone
from e2e_ansible.verdict import Cause, Verdict

FAILED = ended(Verdict.FAIL, Cause.PRODUCT)
CANARY = "kanarienvogel77"
ONCE = Patience(delivery_seconds=0.1, flush_seconds=SECONDS)


@dataclass
class View:
    """A listener that remembers what a user would see."""

    seen: list[Notice] = field(default_factory=list)

    def __call__(self, notice: Notice) -> None:
        self.seen.append(notice)

    @property
    def warnings(self) -> list[str]:
        """What it was warned of."""
        return [each.text for each in self.seen if isinstance(each, Message) and each.level == "warning"]


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def hook(server: Receiver) -> Hook:
    return Hook("webhook", server.url)


def written(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / FILE).read_text().splitlines()]


def run(notifier: Notifier, folder: Path, *notices: Notice) -> View:
    """A run as short as can be."""
    view = View()
    with heard(notifier, view) as listener:
        for notice in (started(folder), *notices):
            listener(notice)
    return view


# ---- what arrives


def test_what_arrives_is_written_down_and_no_warning(server: Receiver, tmp_path: Path) -> None:
    view = run(Notifier([hook(server)]), tmp_path, FAILED)
    assert [call.json["kind"] for call in server.calls] == ["run_ended"]
    (line,) = written(tmp_path)
    known = {"target": f"webhook 127.0.0.1:{server.port}", "what": "run_ended", "delivered": True}
    assert {key: line[key] for key in known} == known
    assert (line["attempts"], line["error"]) == (1, "")
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert view.warnings == []
    assert view.seen == [started(tmp_path), FAILED]


@pytest.mark.parametrize(
    ("on", "kinds"),
    [
        (NotifyOn.ALERT, ["alert_began", "alert_ended"]),
        (NotifyOn.FAILURE, ["alert_began", "alert_ended", "cycle_ended", "run_ended"]),
        (NotifyOn.ALWAYS, ["cycle_ended", "alert_began", "alert_ended", "cycle_ended", "run_ended"]),
    ],
)
def test_records_of_a_soak_are_told_in_their_order(
    server: Receiver, tmp_path: Path, on: NotifyOn, kinds: list[str]
) -> None:
    with Notifier([hook(server)], on=on) as notifier:
        notifier(started(tmp_path))
        for record in (cycle(), alert(), phase("x", 1), alert(over=True), cycle(2, Verdict.FAIL)):
            notifier.record(record)
        notifier(FAILED)
    assert [call.json["kind"] for call in server.calls] == kinds


def test_every_target_is_told(server: Receiver, tmp_path: Path) -> None:
    with mail_server() as box:
        targets: list[Target] = [
            hook(server),
            Hook("slack", f"{server.url}/slack"),
            Mail(("a@b.example",), "c@d.example", "127.0.0.1", box.port),
        ]
        run(Notifier(targets), tmp_path, FAILED)
        assert len(box.mails) == 1
    assert sorted(call.path for call in server.calls) == ["/", "/slack"]
    assert len(written(tmp_path)) == 3


def test_a_server_that_comes_back_is_asked_again(server: Receiver, tmp_path: Path) -> None:
    server.statuses = [503, 200]
    patience = Patience(SECONDS, SECONDS, pause_seconds=0.01)
    view = run(Notifier([hook(server)], patience=patience), tmp_path, FAILED)
    assert [line["attempts"] for line in written(tmp_path)] == [2]
    assert (len(server.calls), view.warnings) == (2, [])


# ---- what does not


def test_a_server_that_hangs_delays_no_notice_and_the_end_not_for_long(
    server: Receiver, tmp_path: Path
) -> None:
    """All notices are taken while the server holds the first one; none but that reaches it."""
    server.hold.clear()
    notifier = Notifier([hook(server)], patience=Patience(SECONDS, 0.2))
    notifier(started(tmp_path))
    for number in range(5):
        notifier.record(cycle(number, Verdict.FAIL))
    server.wait()
    view = View()
    notifier.warn_to(view)
    deadline = Deadline(SECONDS / 2)
    notifier.close()
    assert not deadline.expired
    lines = written(tmp_path)
    assert [line["delivered"] for line in lines] == [False] * 5
    assert {line["error"] for line in lines} == {"it was not taken within 0 s after the run"}
    name = f"webhook 127.0.0.1:{server.port}"
    assert view.warnings == [
        f"{name}: cycle_ended was not delivered: it was not taken within 0 s after the run",
        f"{name}: 5 of 5 notifications were not delivered, see {FILE}",
    ]


def test_a_target_that_hangs_does_not_hold_up_another(server: Receiver, tmp_path: Path) -> None:
    server.hold.clear()
    with receiver() as other:
        notifier = Notifier([hook(server), hook(other)], patience=Patience(SECONDS, 0.1))
        notifier(started(tmp_path))
        notifier(FAILED)
        assert Deadline(SECONDS).wait_for((tmp_path / FILE).exists, 0.01)
        notifier.close()
    assert sorted(line["delivered"] for line in written(tmp_path)) == [False, True]


def test_a_server_that_is_gone_is_a_warning_of_which_a_row_is_one(tmp_path: Path) -> None:
    gone = Hook("webhook", f"http://127.0.0.1:{free_port()}/{CANARY}")
    view = run(Notifier([gone], patience=ONCE), tmp_path, *[FAILED] * 3)
    first, last = view.warnings
    assert "run_ended was not delivered: Connection refused" in first
    assert "3 of 3 notifications were not delivered" in last
    assert [line["delivered"] for line in written(tmp_path)] == [False] * 3


def test_what_the_server_says_is_told_without_the_secret(server: Receiver, tmp_path: Path) -> None:
    server.statuses, server.answer = [403], f"token {CANARY} is revoked".encode()
    secrets = Secrets()
    target = parse_target(f"webhook:{server.url}/{CANARY}", Sources({}), secrets)
    view = run(Notifier([target], secrets=secrets), tmp_path, FAILED)
    assert server.calls[0].path == f"/{CANARY}"
    assert ["answered 403 Forbidden: token *** is revoked" in text for text in view.warnings] == [True]
    assert CANARY not in (tmp_path / FILE).read_text() + str(view.seen)


def test_a_queue_that_is_full_drops_the_oldest_and_says_so(server: Receiver, tmp_path: Path) -> None:
    server.hold.clear()
    view = View()
    notifier = Notifier([hook(server)], patience=Patience(SECONDS, 0.1))
    with heard(notifier, view) as listener:
        listener(started(tmp_path))
        notifier.record(alert())
        server.wait()
        for _ in range(504):
            notifier.record(alert())
        listener(FAILED)
    lines = written(tmp_path)
    dropped = [line for line in lines if "500 newer ones are waiting" in line["error"]]
    assert [line["what"] for line in dropped] == ["alert_began"] * 5
    assert (len(lines), lines[-1]["what"]) == (506, "run_ended")
    assert "506 of 506 notifications were not delivered" in view.warnings[-1]


def test_a_warning_from_the_thread_of_the_run_does_not_lock_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listener speaks to those who are just speaking to it; a bug in it is told, not raised."""

    def broken(*_: object) -> None:
        raise LookupError("oh")

    monkeypatch.setattr(Reporter, "_run_ended", broken)
    done = threading.Event()
    view = View()

    def act() -> None:
        with heard(Notifier([Hook("webhook", "http://127.0.0.1:9")]), view) as listener:
            megaphone = Megaphone([listener])
            megaphone(started(tmp_path))
            megaphone(FAILED)
        done.set()

    threading.Thread(target=act, daemon=True).start()
    assert done.wait(SECONDS)
    assert view.warnings == ["notifier: run_ended was not delivered: LookupError: oh"]


def test_a_folder_that_cannot_be_written_is_a_warning(server: Receiver, tmp_path: Path) -> None:
    view = run(Notifier([hook(server)]), tmp_path / "gone", FAILED, FAILED)
    assert len(server.calls) == 2
    assert view.warnings == [f"{tmp_path}/gone/{FILE} cannot be written: No such file or directory"]


# ---- how a run may end


def test_a_run_that_an_error_ends_is_news(server: Receiver, tmp_path: Path) -> None:
    notifier = Notifier([hook(server)], on=NotifyOn.ALERT)
    with pytest.raises(OSError, match="disk full"), heard(notifier, View()) as listener:
        listener(started(tmp_path))
        raise OSError("disk full")
    (call,) = server.calls
    assert (call.json["kind"], call.json["error"]) == ("run_broken", "OSError: disk full")


def test_what_never_began_is_no_news(server: Receiver) -> None:
    with pytest.raises(ValueError, match="no such suite"), heard(Notifier([hook(server)]), View()):
        raise ValueError("no such suite")
    assert server.calls == []


def test_an_interrupt_at_the_end_ends_the_wait(server: Receiver, tmp_path: Path) -> None:
    server.hold.clear()
    notifier = Notifier([hook(server)], patience=Patience(SECONDS, SECONDS))
    notifier(started(tmp_path))
    notifier(FAILED)
    server.wait()
    flush, asked = notifier._flush, []

    def interrupted(deadline: Deadline) -> None:
        asked.append(deadline.seconds)
        if len(asked) == 1:
            raise KeyboardInterrupt
        flush(deadline)

    notifier._flush = interrupted  # type: ignore[method-assign]
    notifier.close()
    assert asked == [SECONDS, 0]
    assert [line["delivered"] for line in written(tmp_path)] == [False]


def test_without_a_notifier_the_view_is_alone() -> None:
    view = View()
    with heard(None, view) as listener:
        assert listener is view
