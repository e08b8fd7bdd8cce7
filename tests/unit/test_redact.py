"""No password is shown, wherever in a text it stands, and the text stays as long as it was."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from e2e_ansible.errors import Problem, SuiteError
from e2e_ansible.redact import redacted
from e2e_ansible.report.problems import print_problems
from e2e_ansible.suite.value import shown

SECRET = "hu/nt:er@2"


@pytest.mark.parametrize(
    "text",
    [
        f"postgres://app:{SECRET}@db/x",
        f"connection: 'postgresql://:{SECRET}@db:5432/x?sslmode=require', clients: 1",
        f"{{connection: http://a:{SECRET}@one http://b:{SECRET}@two}}",
        f"host=db user=app password={SECRET} dbname=x",
        f"host=db PASSWORD = '{SECRET}' dbname=x",
        f"postgres://db/x?user=app&password={SECRET}&sslmode=require",
    ],
)
def test_a_password_is_not_shown(text: str) -> None:
    hidden = redacted(text)
    assert "hunt" not in hidden.replace("/", "")
    assert "er@2" not in hidden
    assert len(hidden) == len(text)
    assert redacted(hidden) == hidden


@pytest.mark.parametrize(
    "text", ["https://db:5432/x", "me@example.org", "no_password: true", "a: b@c", "password_file: /x"]
)
def test_what_is_no_password_is_shown(text: str) -> None:
    assert redacted(text) == text


def test_neither_a_message_nor_an_excerpt_shows_it(tmp_path: Path) -> None:
    url = f"postgres://app:{SECRET}@db/x"
    for lead in ("", "x" * 110, "x" * 5000):
        assert "er@2" not in shown(lead + url)
        file = tmp_path / "s.yaml"
        file.write_text(f"a: 1\n{lead}{url}{' y' * 5000}\n")
        for column in (1, len(lead) + 5, len(lead) + 20, len(lead) + 2100):
            out = io.StringIO()
            error = SuiteError([Problem(str(file), 2, column, "wrong")])
            print_problems(Console(file=out, width=300), error)
            assert "er@2" not in out.getvalue()
            assert "nt:er" not in out.getvalue()


def test_a_long_text_full_of_addresses_is_looked_at_only_where_it_is_shown() -> None:
    assert shown("://a:" * 1_000_000).startswith("'://a:")
    assert len(redacted("password='" * 500)) == 5000
