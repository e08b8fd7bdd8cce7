"""Sends news by mail."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from e2e_ansible.deadline import Deadline
from e2e_ansible.notify.news import News
from e2e_ansible.notify.target import Mail
from e2e_ansible.notify.undelivered import Undelivered

__all__ = ["send"]

_LONGEST_SUBJECT = 200


def send(mail: Mail, news: News, seconds: float) -> None:
    """Hand it to the server, each answer of which may take so many seconds.

    Raises:
        Undelivered: the server did not take it, for one receiver at least.
    """
    try:
        with _connected(mail, Deadline(seconds)) as server:
            refused = server.send_message(_message(mail, news))
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else ""
        again = 400 <= error.smtp_code < 500
        raise Undelivered(f"the mail server answered {error.smtp_code} {said}", again=again) from error
    except smtplib.SMTPRecipientsRefused as error:
        raise Undelivered(_refused(error.recipients)) from error
    except (OSError, ValueError) as error:  # those of smtplib are OSErrors
        if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
            raise Undelivered(f"no answer within {seconds:.0f} s") from error
        again = isinstance(error, ConnectionError | smtplib.SMTPServerDisconnected)
        raise Undelivered(getattr(error, "strerror", None) or str(error), again=again) from error
    if refused:
        raise Undelivered(_refused(refused))


def _connected(mail: Mail, deadline: Deadline) -> smtplib.SMTP:
    seconds = max(0.1, deadline.remaining)
    context = ssl.create_default_context()
    server = (
        smtplib.SMTP_SSL(mail.host, mail.port, timeout=seconds, context=context)
        if mail.security == "tls"
        else smtplib.SMTP(mail.host, mail.port, timeout=seconds)
    )
    try:
        if mail.security == "starttls":
            server.starttls(context=context)
        if mail.user:
            server.login(mail.user, mail.password)
    except BaseException:
        server.close()
        raise
    return server


def _message(mail: Mail, news: News) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = news.title[:_LONGEST_SUBJECT]
    message["From"], message["To"] = mail.sender, ", ".join(mail.to)
    message["Date"], message["Message-ID"] = formatdate(news.at), make_msgid(domain="e2e-ansible")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{news.title}\n\n{news.text}\n")
    return message


def _refused(receivers: dict[str, tuple[int, bytes]]) -> str:
    told = (f"{who}: {code} {said.decode(errors='replace')}" for who, (code, said) in receivers.items())
    return f"the mail server refused {'; '.join(told)}"
