"""What a user may write as a target, and that no message repeats what is secret in it."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from e2e_ansible.errors import UsageError
from e2e_ansible.notify.options import NotifyOptions, open_notifier
from e2e_ansible.notify.scrub import Secrets
from e2e_ansible.notify.source import Sources
from e2e_ansible.notify.target import Hook, Mail, Target, parse_target

CANARY = "kanarienvogel77"
ENVIRONMENT = {"SMTP_WORD": CANARY, "HOOK": f"slack:https://hooks.example.org/T0/{CANARY}", "EMPTY": ""}


def parsed(text: str) -> Target:
    return parse_target(text, Sources(dict(ENVIRONMENT)), Secrets())


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("webhook:https://h.example/x?y=1", Hook("webhook", "https://h.example/x?y=1")),
        ("slack:http://127.0.0.1:80/", Hook("slack", "http://127.0.0.1:80/")),
        ("mailto:a@b?server=m&from=c@d", Mail(("a@b",), "c@d", "m", 25)),
        ("mailto:a@b,e@f?server=m:587&from=c@d", Mail(("a@b", "e@f"), "c@d", "m", 587, "starttls")),
        ("mailto:a@b?server=m:587&from=c@d&starttls=no", Mail(("a@b",), "c@d", "m", 587)),
        ("mailto:a@b?server=m&from=c@d&starttls=yes", Mail(("a@b",), "c@d", "m", 587, "starttls")),
        ("mailto:a@b?server=m&from=c@d&tls=yes", Mail(("a@b",), "c@d", "m", 465, "tls")),
        ("mailto:a@b?server=[::1]:26&from=c@d", Mail(("a@b",), "c@d", "::1", 26)),
        (
            "mailto:a@b?server=m:465&from=c@d&user=u&password=env:SMTP_WORD",
            Mail(("a@b",), "c@d", "m", 465, "tls", "u", CANARY),
        ),
    ],
)
def test_a_target_is_what_it_says(text: str, target: Target) -> None:
    assert parsed(text) == target


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("webhok:https://h", "'webhok' is no kind of target", "did you mean 'webhook'?"),
        (f"https://h/{CANARY}", "'https' is no kind of target", "for example webhook:"),
        (CANARY, "that is no target", "for example webhook:"),
        (f"webhook:ftp://h/{CANARY}", "no http or https address", "for example webhook:"),
        (f"webhook:https:///{CANARY}", "no http or https address", "for example webhook:"),
        (f"webhook:https://h:0/{CANARY}", "no http or https address", "for example webhook:"),
        (f"webhook:https://[h/{CANARY}", "no http or https address", "for example webhook:"),
        (f"slack:https://h/{CANARY} x", "spaces", "%20"),
        (f"slack:https://h/ä{CANARY}", "no http or https address", "for example webhook:"),
        ("mailto:", "is no mail address", "mailto:a@example.org"),
        ("mailto:a@b\r\nBcc: c@d", "is no mail address", "mailto:a@example.org"),
        ("mailto:a@b?server=m/n", "'m/n' is no mail server", "server=mail.example.org:587"),
        ("mailto:a@b?sever=m", "no option 'sever'", "did you mean 'server'?"),
        ("mailto:a@b?server=m&starttls=perhaps", "starttls is 'perhaps'", "yes or no"),
        ("mailto:a@b?server=m&starttls=yes&tls=yes", "exclude each other", "465"),
        ("mailto:a@b?server=m:587&user=u", "go together", "add the other"),
        (f"mailto:a@b?server=m:587&user=u&password={CANARY}", "stands in the target", "env:NAME"),
        ("mailto:a@b?server=m&user=u&password=env:SMTP_WORD", "in the clear", "starttls=yes"),
        ("mailto:a@b?server=m:587&user=u&password=env:SMTP_WORT", "'SMTP_WORT' is not set", "SMTP_WORD"),
    ],
)
def test_what_is_no_target_is_refused_without_being_repeated(text: str, words: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(text)
    assert words in str(caught.value)
    assert hint in caught.value.hint
    assert CANARY not in str(caught.value) + caught.value.hint


def test_no_representation_has_the_secret_of_a_target() -> None:
    targets = [
        parsed(ENVIRONMENT["HOOK"]),
        parsed("mailto:a@b?server=m:465&user=u&password=env:SMTP_WORD"),
        parsed(f"webhook:https://u:{CANARY}@h.example:81/"),
    ]
    assert [target.name for target in targets] == [
        "slack hooks.example.org",
        "mail to a@b",
        "webhook h.example:81",
    ]
    assert CANARY not in repr(targets)


# ---- where targets come from


def test_a_file_holds_a_target_on_each_line(tmp_path: Path) -> None:
    (tmp_path / "targets").write_text("# ours\nwebhook:http://one\n\n  slack:http://two \n")
    assert Sources({}).words(f"@{tmp_path}/targets") == ["webhook:http://one", "slack:http://two"]


@pytest.mark.parametrize("word", ["@missing", "@.", "env:MISSING", "env:EMPTY", "@empty", "@binary"])
def test_what_is_not_there_or_empty_is_an_error(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("# nothing\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"cannot be read|is not set|holds nothing"):
        Sources(dict(ENVIRONMENT)).words(word)


@pytest.mark.parametrize("text", ["", "two\nlines", "\n"])
def test_a_password_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "word").write_text(text)
    with pytest.raises(UsageError, match="in one line"):
        Sources({}).secret(f"@{tmp_path}/word", "password")


def test_commands_of_a_suite_inherit_no_target() -> None:
    environment = {
        "E2E_NOTIFY": "env:HOOK",
        "E2E_PUSHGATEWAY": f"http://u:{CANARY}@127.0.0.1:9091",
        "HOOK": ENVIRONMENT["HOOK"],
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={CANARY}",
        "PATH": "/bin",
    }
    options = NotifyOptions(["env:HOOK"], pushgateway=environment["E2E_PUSHGATEWAY"], otel=True)
    assert open_notifier(options, environment) is not None
    assert environment == {"PATH": "/bin"}


def test_nothing_asked_for_is_no_notifier() -> None:
    assert open_notifier(NotifyOptions(), {}) is None


# ---- the other options


@pytest.mark.parametrize(
    ("options", "environment", "words"),
    [
        (NotifyOptions(prometheus_file=Path("missing/x.prom")), {}, "cannot be written"),
        (NotifyOptions(prometheus_file=Path("x.txt")), {}, "end in .prom"),
        (NotifyOptions(pushgateway=f"gw/{CANARY}"), {}, "the Pushgateway is no http"),
        (NotifyOptions(otel=True), {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "'grpc'"),
        (NotifyOptions(otel=True), {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{CANARY}:4318"}, "no http or https"),
        (NotifyOptions([f"webhook:{CANARY}"]), {}, "no http"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(
    options: NotifyOptions, environment: dict[str, str], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        open_notifier(options, environment)
    assert words in str(caught.value)
    assert CANARY not in str(caught.value) + caught.value.hint
    assert caught.value.__suppress_context__


def test_a_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_there(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", nothing_there)
    with pytest.raises(UsageError, match="--otel needs packages") as caught:
        open_notifier(NotifyOptions(otel=True), {})
    assert caught.value.hint == "pip install 'e2e-ansible[otel]'"


def test_a_wrong_variable_of_opentelemetry_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many")
    with pytest.raises(UsageError, match=r"OTEL_\* is wrong: .*many"):
        open_notifier(NotifyOptions(otel=True))


# ---- scrubbing


@pytest.mark.parametrize(
    "said",
    [
        f"POST https://u:pass%20word@h.example/services/{CANARY}?token=abcd",
        f"no route for /services/{CANARY}",
        f"{CANARY} is revoked",
        "user u with 'pass word'",
        "token abcd is bad",
    ],
)
def test_every_form_of_a_secret_is_replaced(said: str) -> None:
    secrets = Secrets()
    secrets.add_url(f"https://u:pass%20word@h.example/services/{CANARY}?token=abcd")
    scrubbed = secrets.scrub(said)
    assert not [word for word in (CANARY, "pass word", "pass%20word", "abcd") if word in scrubbed]
    assert "***" in scrubbed


def test_what_is_told_is_one_line_that_no_terminal_obeys() -> None:
    assert Secrets().scrub("a\n\x1b[31mb\r\n\tc") == "a b c"
    assert len(Secrets().scrub("x" * 5000)) < 500
