"""Sends news to a webhook, as JSON, or to what understands Slack's messages."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request

from e2e_ansible import __version__
from e2e_ansible.notify.news import News
from e2e_ansible.notify.target import Hook
from e2e_ansible.notify.undelivered import Undelivered

__all__ = ["post"]

_LATER = frozenset({429, 502, 503, 504})
_ANSWER_BYTES = 300
_SLACK_CHARACTERS = 3000
_SLACK_MARKS = {"run_ended": ":x:", "cycle_ended": ":x:", "alert_ended": ":white_check_mark:"}


def post(hook: Hook, news: News, seconds: float) -> None:
    """Send it and wait for the answer, each time for at most so many seconds.

    Raises:
        Undelivered: no server took it.
    """
    body = {"text": _slack(news)} if hook.kind == "slack" else news.payload()
    headers = {"Content-Type": "application/json", "User-Agent": f"e2e-ansible/{__version__}"}
    request = urllib.request.Request(hook.url, json.dumps(body).encode(), headers, method="POST")
    try:
        with _OPENER.open(request, timeout=max(0.1, seconds)):
            pass
    except urllib.error.HTTPError as error:
        raise Undelivered(_refusal(error), again=error.code in _LATER) from error
    except TimeoutError as error:
        raise Undelivered(f"no answer within {seconds:.0f} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise Undelivered(_reason(error, seconds), again=True) from error
    except ValueError as error:
        raise Undelivered(str(error)) from error


class _Strict(urllib.request.HTTPErrorProcessor):
    """A POST that is sent elsewhere becomes a GET, and nobody is told anything; so every redirection is an error."""

    def http_response(
        self, request: urllib.request.Request, response: http.client.HTTPResponse
    ) -> http.client.HTTPResponse:
        """The answer, if the server has taken it."""
        if not 200 <= response.status < 300:
            raise urllib.error.HTTPError(
                request.full_url, response.status, response.reason, response.headers, response
            )
        return response

    https_response = http_response


_OPENER = urllib.request.build_opener(_Strict)


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        said = error.read(_ANSWER_BYTES).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException):
        said = ""
    return f"the server answered {error.code} {error.reason}" + (f": {said}" if said else "")


def _reason(error: OSError | http.client.HTTPException, seconds: float) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return f"no connection within {seconds:.0f} s"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _slack(news: News) -> str:
    mark = (_SLACK_MARKS if news.bad else {}).get(
        news.kind, ":warning:" if news.bad else ":white_check_mark:"
    )
    text = f"{mark} *{_escaped(news.title)}*" + (f"\n{_escaped(news.text)}" if news.text else "")
    return text if len(text) <= _SLACK_CHARACTERS else f"{text[:_SLACK_CHARACTERS]}…"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
