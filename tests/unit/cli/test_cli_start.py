"""What commands that run nothing import: Ansible alone takes longer than all that they do."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cli_desk import REPOSITORY

HEAVY = ("ansible", "ansible_runner", "pexpect", "psycopg")
PROGRAM = """
import sys
sys.argv = ["e2e-ansible", *sys.argv[1:]]
from e2e_ansible.cli import main
try:
    main()
except SystemExit as end:
    code = end.code
print(code or 0, *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def imported(*arguments: str) -> set[str]:
    """The packages that a command has imported when it has ended well."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    code, *names = done.stderr.splitlines()[-1].split()
    assert code == "0", done.stderr
    return set(names)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["validate", "suites/quickstart.yaml"],
        ["list", "suites/quickstart.yaml"],
        ["schema"],
    ],
    ids=" ".join,
)
def test_a_command_that_runs_nothing_imports_nothing_of_ansible(arguments: list[str]) -> None:
    assert imported(*arguments) & set(HEAVY) == set()


def test_help_imports_no_model() -> None:
    assert "pydantic" not in imported("--help")
