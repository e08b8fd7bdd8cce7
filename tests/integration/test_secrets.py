"""What the product makes as a secret is nowhere but in its own file: not in the run, not on a screen, not in a command.

Each search is shown to find what is there: a run that gives its password away on purpose is searched as well.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from real_runs import Desk, Done, one_test, traces, write_suite

from e2e_ansible.providers.home import default_home

pytestmark = pytest.mark.nodes

Step = dict[str, Any]
FAIL: Step = {"step": "custom_command", "custom_command": ["false"], "target_node": "n11"}
STEPS: list[Step] = [
    {"step": "init"},
    {"step": "deploy"},
    {"step": "validate", "checks": ["cluster_status", "data_integrity"]},
    {"step": "deploy"},
    FAIL,
]
EVERY_STATEMENT = {"log_statement": "all", "log_connections": True}
GIVE_AWAY = """
password=$(cat "$E2E_ANSIBLE_HOME/deployments/$E2E_DEPLOYMENT/client_password")
sh -c 'sleep 1; :' "$password"
echo "$password" | base64
echo "it is $password"
exit 1
"""


@dataclass
class Commands:
    """Every command line that was seen on this machine, those of nodes included."""

    lines: set[bytes] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look again and again, until it is over."""
        while not self.over.wait(0.01):
            self.lines.update(_command_lines())

    @property
    def text(self) -> bytes:
        """All in one."""
        return b"\n".join(self.lines)


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:  # it has ended
            continue


@contextmanager
def watched_commands() -> Iterator[Commands]:
    commands = Commands()
    thread = threading.Thread(target=commands.watch)
    thread.start()
    try:
        yield commands
    finally:
        commands.over.set()
        thread.join()


def spellings(secret: str) -> set[bytes]:
    """How it may look: as it is, and as a part of something in base64, at each of the three places."""
    plain = secret.encode()
    inner = {base64.b64encode(b"_" * shift + plain)[4:-4] for shift in range(3)}
    return {plain, *inner}


def secrets_of(deployment: Path) -> dict[str, str]:
    """The passwords and private keys of a deployment, by file; of a key, its longest line."""
    keys = [deployment / "id_ed25519", *deployment.glob("nodes/*/ssh_host_ed25519_key")]
    passwords = [deployment / "client_password", deployment / "replication_password"]
    found = {
        str(path.relative_to(deployment)): path.read_text().strip() for path in passwords if path.exists()
    }
    return found | {
        str(path.relative_to(deployment)): max(path.read_text().splitlines()[2:-1], key=len) for path in keys
    }


def places(secret: str, run: Path, done: Done, commands: Commands) -> list[str]:
    """Where a secret is found: files of the run, the streams of the command, command lines."""
    texts = {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    texts |= {"stdout": done.out.encode(), "stderr": done.err.encode(), "command lines": commands.text}
    return [place for place, text in texts.items() if any(word in text for word in spellings(secret))]


@dataclass(frozen=True)
class Searched:
    """A run that kept its nodes, and the places of each of its secrets."""

    run: Path
    found: dict[str, list[str]]


def searched(desk: Desk, test: dict[str, Any], *options: str) -> Searched:
    suite = write_suite(desk.folder / "suite.json", test=test)
    with watched_commands() as commands:
        done = desk.call("run", str(suite), "--keep", "on-failure", *options)
    assert done.code == 1, done.said
    run = desk.newest()
    (result,) = desk.result().tests
    secrets = secrets_of(default_home() / "deployments" / result.deployment_id)
    assert all(len(secret) >= 16 for secret in secrets.values())
    return Searched(run, {name: places(secret, run, done, commands) for name, secret in secrets.items()})


@pytest.mark.parametrize("options", [[], ["-v", "--json"], ["--debug"]], ids=" ".join)
def test_no_secret_is_shown_or_kept(desk: Desk, options: list[str]) -> None:
    """PostgreSQL is told to log every statement, and its logs are in the run folder, as the last step fails."""
    test = one_test(STEPS, size=2, postgres_settings=EVERY_STATEMENT)
    seen = searched(desk, test, *options)
    assert set(seen.found) == {
        "client_password",
        "replication_password",
        "id_ed25519",
        "nodes/n11/ssh_host_ed25519_key",
        "nodes/n12/ssh_host_ed25519_key",
    }
    logged = b"".join(path.read_bytes() for path in seen.run.glob("tests/test/evidence/n11/files/**/*.log"))
    assert b"ALTER ROLE" in logged or b"CREATE ROLE" in logged
    assert not any(seen.found.values()), seen.found


def test_the_search_finds_a_password_that_is_given_away(desk: Desk) -> None:
    desk.allow_make_nodes()
    desk.variables["E2E_ANSIBLE_HOME"] = str(default_home())
    give: Step = {"step": "custom_command", "custom_command": [GIVE_AWAY], "shell": True}
    seen = searched(desk, one_test([{"step": "make_nodes"}, give]), "-v")
    found = seen.found.pop("client_password")
    assert {"stdout", "command lines"} <= set(found)
    assert {"result.json", "report.html", "junit.xml", "tests/test/events.jsonl"} <= set(found)
    assert "tests/test/steps/02-custom-command/ansible.log" in found
    assert not any(seen.found.values()), seen.found


@pytest.mark.parametrize("around", ["", "a", "ab", "abc", "abcd"])
def test_the_search_finds_what_is_in_base64(around: str) -> None:
    text = base64.b64encode(f"{around}password-of-16-letters{around}".encode())
    assert any(word in text for word in spellings("password-of-16-letters"))


def test_only_its_owner_can_read_what_a_run_writes(desk: Desk) -> None:
    """The plan alone has the modes of any other file; the folder above it is closed."""
    desk.allow_make_nodes()
    suite = write_suite(desk.folder / "suite.json", test=one_test([{"step": "make_nodes"}, FAIL]))
    done = desk.call("run", str(suite))
    assert done.code == 1, done.said
    run = desk.newest()
    assert traces(run) == []
    assert [
        f"{path.relative_to(run)} {path.stat().st_mode:o}"
        for path in (run, *run.rglob("*"))
        if path.stat().st_mode & 0o077 and "plan" not in path.relative_to(run).parts
    ] == []
