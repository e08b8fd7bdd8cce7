"""Messages arrive as servers want them, and what does not arrive has a reason."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from certificate import certificate
from receivers import Mailbox, Receiver, free_port, mail_server, receiver
from soak_script import alert, ended, started

from e2e_ansible.notify.mail import send
from e2e_ansible.notify.news import News, Reporter
from e2e_ansible.notify.post import post
from e2e_ansible.notify.target import Hook, Mail
from e2e_ansible.notify.undelivered import Undelivered
from e2e_ansible.verdict import Cause, Verdict

SHORT = 0.15


def a_message() -> News:
    reporter = Reporter()
    reporter.news(started(suite="größer & <besser>.yaml"), 1.0)
    made = reporter.news(alert(), 1795285125.5)
    assert made is not None
    return made


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mail_server() as made:
        yield made


def mail(port: int, *to: str) -> Mail:
    return Mail(to or ("a@b.example",), "e2e@b.example", "127.0.0.1", port)


# ---- webhooks


def test_a_webhook_gets_json(server: Receiver) -> None:
    post(Hook("webhook", f"{server.url}/hook?x=1"), a_message(), 5)
    (call,) = server.calls
    assert (call.method, call.path, call.headers["Content-Type"]) == ("POST", "/hook?x=1", "application/json")
    assert call.json == a_message().payload()
    assert call.json["at"] == "2026-11-21T18:18:45.500Z"


def test_slack_gets_a_text_in_which_nothing_is_markup(server: Receiver) -> None:
    post(Hook("slack", server.url), a_message(), 5)
    (call,) = server.calls
    assert list(call.json) == ["text"]
    assert "größer &amp; &lt;besser&gt;.yaml: alert replication_lag" in call.json["text"]
    assert call.json["text"].startswith(":warning: *")


def test_slack_sees_at_a_glance_how_a_run_ended(server: Receiver) -> None:
    reporter = Reporter()
    for thing in (ended(), ended(Verdict.FAIL, Cause.PRODUCT), alert(over=True)):
        made = reporter.news(thing, 1.0)
        assert made is not None
        post(Hook("slack", server.url), made, 5)
    marks = [call.json["text"].split()[0] for call in server.calls]
    assert marks == [":white_check_mark:", ":x:", ":white_check_mark:"]


@pytest.mark.parametrize(
    ("status", "again"), [(400, False), (404, False), (500, False), (503, True), (429, True)]
)
def test_a_refusal_is_told_with_what_the_server_says(server: Receiver, status: int, again: bool) -> None:
    server.statuses, server.answer = [status], b"no such channel"
    with pytest.raises(Undelivered, match=f"the server answered {status} .*: no such channel") as caught:
        post(Hook("webhook", server.url), a_message(), 5)
    assert caught.value.again is again


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_not_followed(server: Receiver, status: int) -> None:
    server.statuses = [status, 200]
    with pytest.raises(Undelivered, match=f"answered {status}"):
        post(Hook("webhook", server.url), a_message(), 5)
    assert len(server.calls) == 1


def test_nobody_there_may_be_tried_again() -> None:
    with pytest.raises(Undelivered, match="Connection refused") as caught:
        post(Hook("webhook", f"http://127.0.0.1:{free_port()}/"), a_message(), 5)
    assert caught.value.again


def test_a_server_that_does_not_answer_is_left(server: Receiver) -> None:
    server.hold.clear()
    with pytest.raises(Undelivered, match="no answer within 0 s") as caught:
        post(Hook("webhook", server.url), a_message(), SHORT)
    assert not caught.value.again


# ---- mail


def test_a_mail_arrives(box: Mailbox) -> None:
    send(mail(box.port, "a@b.example", "c@d.example"), a_message(), 5)
    (got,) = box.mails
    assert (got.mail_from, got.rcpt_tos) == ("e2e@b.example", ["a@b.example", "c@d.example"])
    assert isinstance(got.content, bytes)
    message = email.message_from_bytes(got.content, policy=email.policy.default)
    assert message["Subject"] == a_message().title
    assert message["To"] == "a@b.example, c@d.example"
    text = message.get_content()
    assert text.splitlines()[0] == a_message().title
    assert "the lag is 20 MB" in text


@pytest.mark.parametrize("refused", [["a@b.example"], ["a@b.example", "c@d.example"]])
def test_a_receiver_who_is_refused_is_named(box: Mailbox, refused: list[str]) -> None:
    box.refuses = refused.__contains__
    with pytest.raises(Undelivered, match=r"refused a@b\.example: 550 no such mailbox"):
        send(mail(box.port, "a@b.example", "c@d.example"), a_message(), 5)
    assert len(box.mails) == 2 - len(refused)


def test_no_mail_server_may_be_tried_again() -> None:
    with pytest.raises(Undelivered, match="Connection refused") as caught:
        send(mail(free_port()), a_message(), 5)
    assert caught.value.again


def test_a_mail_server_that_does_not_answer_is_left(server: Receiver) -> None:
    """An HTTP server waits for the client to speak first, and so does SMTP's client."""
    with pytest.raises(Undelivered, match="no answer within 0 s"):
        send(mail(server.port), a_message(), SHORT)


def test_a_password_goes_over_tls_to_a_server_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[LoginPassword] = []

    def check(*words: object) -> AuthResult:
        found = words[-1]
        assert isinstance(found, LoginPassword)
        asked.append(found)
        return AuthResult(success=found.password == b"open sesame", handled=False)

    trusted, context = certificate(tmp_path)
    with mail_server(
        tls_context=context, require_starttls=True, authenticator=check, auth_required=True
    ) as box:
        words = {"sender": "e2e@b.example", "host": "127.0.0.1", "port": box.port, "security": "starttls"}
        right = Mail(("a@b.example",), user="u", password="open sesame", **words)  # type: ignore[arg-type]
        with pytest.raises(Undelivered, match="certificate verify failed"):
            send(right, a_message(), 5)
        assert asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        send(right, a_message(), 5)
        assert [got.rcpt_tos for got in box.mails] == [["a@b.example"]]
        wrong = Mail(("a@b.example",), user="u", password="open barley", **words)  # type: ignore[arg-type]
        with pytest.raises(Undelivered, match="answered 535") as caught:
            send(wrong, a_message(), 5)
        assert "barley" not in str(caught.value)
