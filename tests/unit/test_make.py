"""What `make` hands to root by sudo, which drops all that it is not told."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GIVEN = {
    "GOPROXY": "file:///srv/go,https://mirror.example/go",
    "GOPRIVATE": "github.com/stroppy-io/*",
    "GONOPROXY": "none",
    "GONOSUMDB": "github.com/stroppy-io/stroppy,github.com/picodata/picodata-go",
    "GOSUMDB": "off",
    "GOINSECURE": "mirror.example",
    "GOAUTH": "netrc",
    "NETRC": "/home/me/my netrc",
    "GOFLAGS": "-modcacherw -mod=mod",
    "GOENV": "/home/me/.config/go/env",
    "GOTOOLCHAIN": "local",
    "CGO_ENABLED": "0",
}


def handed(target: str, **given: str) -> dict[str, str]:
    """The variables with which pytest is started."""
    own = {name: text for name, text in os.environ.items() if name not in GIVEN and name != "STROPPY"}
    environment = {**own, **given}
    words = ["make", "-n", target, "SUDO=sudo"]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    (line,) = [line for line in done.stdout.splitlines() if "-m pytest" in line]
    started = shlex.split(line.partition("&&")[2])
    assert started[:3] == ["sudo", "-H", "env"]
    return dict(word.split("=", 1) for word in started[3:] if "=" in word and not word.startswith("-"))


@pytest.mark.parametrize("target", ["test", "test-stroppy"])
def test_what_is_said_to_go_reaches_it_behind_sudo(target: str) -> None:
    assert handed(target, **GIVEN).items() >= GIVEN.items()


def test_which_stroppy_is_said_or_pinned() -> None:
    assert "STROPPY" not in handed("test")
    assert handed("test-stroppy")["STROPPY"] == "pinned"
    for target in ("test", "test-stroppy"):
        assert handed(target, STROPPY="k6")["STROPPY"] == "k6"
