"""Another address of an API than the provider's own."""

from __future__ import annotations

import pytest

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.cloud.endpoint import endpoint

_OWN = "https://api.example.org/v1"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("", _OWN),
        ("https://proxy/", "https://proxy"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_the_address_that_is_used(given: str, used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_SOME_ENDPOINT", given)
    assert endpoint("E2E_SOME_ENDPOINT", _OWN) == used


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("http://proxy", "E2E_SOME_ENDPOINT is 'http://proxy': http would send"),
        ("proxy:8080", "E2E_SOME_ENDPOINT is 'proxy:8080', which is no address"),
        ("https://[proxy", r"is 'https://\[proxy', which is no address"),
        ("http://me:sesame@proxy", r"is 'http://\*\*\*@proxy': http would send"),
        ("http://me:ses@me/sesame@proxy", r"is 'http://\*\*\*@proxy': http would send"),
        ("me:sesame@proxy", r"is '\*\*\*@proxy', which is no address"),
    ],
)
def test_others_are_refused_and_no_password_is_shown(
    given: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2E_SOME_ENDPOINT", given)
    with pytest.raises(UsageError, match=said) as error:
        endpoint("E2E_SOME_ENDPOINT", _OWN)
    assert "sesame" not in f"{error.value} {error.value.hint}"
