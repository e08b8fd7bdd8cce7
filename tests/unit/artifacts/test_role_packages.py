"""What the role `packages` takes for the name of a package, by its own script."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "roles/packages/files/install.sh"


def check(*names: str) -> subprocess.CompletedProcess[str]:
    """What it would do, on this machine."""
    command = ["/bin/sh", str(SCRIPT), "check", "5", *names]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize(
    "name", ["", "-y", "--allow-unauthenticated", "a b", "./file.deb", "/tmp/x", "$(id)", "Name", "a;b", "+a"]
)
def test_what_apt_would_take_for_something_else_is_refused(name: str) -> None:
    done = check("coreutils", name)
    assert (done.returncode, done.stdout) == (3, f"refused: '{name}' is no name of a package\n")


def test_names_of_packages_are_looked_for() -> None:
    done = check("coreutils", "libstdc++6-of-nobody", "no-such.package:amd64")
    assert done.returncode == 0
    assert done.stdout == "changed: installed libstdc++6-of-nobody no-such.package:amd64\n"
