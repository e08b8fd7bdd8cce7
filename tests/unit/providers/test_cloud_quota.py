"""Quota is counted before anything is made, together with what other processes of this controller are about to make."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from memory_cloud import Account, provider, trouble

from e2e_ansible.providers.base import DeploymentSpec, NodeSpec
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

HERE = Path(__file__).parent
TAKES = """
import sys
from pathlib import Path
from memory_cloud import Account, provider
from e2e_ansible.providers.cloud.machine import Place
from e2e_ansible.providers.cloud.quota import Reservations
made, cloud = provider(Path(sys.argv[1]), Account(quota=4))
Reservations(cloud, made._store, {}, made._pace).take(Place(), 3)
print("taken", flush=True)
sys.stdin.read()
"""


def prepared(made: CloudProvider, nodes: int = 3, name: str = "demo") -> None:
    specs = tuple(NodeSpec(name=f"n{11 + number}") for number in range(nodes))
    made.prepare(DeploymentSpec(id=name, nodes=specs))


@contextmanager
def other_process(home: Path) -> Iterator[subprocess.Popen[str]]:
    """One that has reserved three machines and lives."""
    environment = {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[2]}"}
    with subprocess.Popen(
        [sys.executable, "-c", TAKES, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "taken\n"
            yield process
        finally:
            process.kill()


def reserved(home: Path) -> list[int]:
    return list(json.loads((home / "clouds/memory/reserved.json").read_text()).values())


def test_a_short_quota_is_told_before_anything_is_made(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path, Account(quota=2))
    prepared(made)
    said = "memory: 3 machines of size small are wanted, and the quota leaves 2"
    with pytest.raises(CloudError, match=said) as error:
        made.create("demo")
    assert error.value.trouble is Trouble.QUOTA
    assert "reap" in error.value.hint
    assert cloud.calls["create"] == 0
    assert reserved(tmp_path) == []


def test_no_quota_is_no_limit(tmp_path: Path) -> None:
    made, _ = provider(tmp_path, Account(quota=None))
    prepared(made)
    assert made.create("demo")


def test_only_what_is_missing_counts(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path, Account(quota=3))
    prepared(made)
    made.create("demo")
    del cloud.account.vms["i-3"]
    assert made.create("demo")


def test_what_another_process_is_about_to_make_counts_until_it_dies(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path, Account(quota=4))
    prepared(made)
    with other_process(tmp_path) as other:
        with pytest.raises(CloudError, match="the quota leaves 4, 3 of them reserved by other runs"):
            made.create("demo")
        assert cloud.calls["create"] == 0
        assert reserved(tmp_path) == [3]
        other.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it is dead and still has its id
        assert made.create("demo")
    assert reserved(tmp_path) == []


def test_a_later_process_with_the_same_id_holds_nothing(tmp_path: Path) -> None:
    made, _ = provider(tmp_path, Account(quota=4))
    prepared(made)
    file = tmp_path / "clouds/memory/reserved.json"
    file.write_text(json.dumps({f"{os.getppid()} 1 0": 3}))
    assert made.create("demo")


def test_what_is_ordered_is_counted_once(tmp_path: Path) -> None:
    """The provider counts it from then on, so a second run gets the rest of the quota while the first waits."""
    account = Account(quota=4)
    made, cloud = provider(tmp_path, account)
    second, _ = provider(tmp_path, account)
    prepared(made)
    prepared(second, nodes=1, name="second")
    seen: list[bool] = []

    def while_it_waits(call: str) -> None:
        if call == "machines" and cloud.calls["create"] == 3 and not seen:
            seen.append(second.create("second"))

    cloud.on_call = while_it_waits
    made.create("demo")
    assert seen == [True]
    assert len(account.vms) == 4


@pytest.mark.parametrize("kind", [Trouble.OTHER, Trouble.CAPACITY])
def test_what_was_given_up_is_free_again(tmp_path: Path, kind: Trouble) -> None:
    made, cloud = provider(tmp_path, Account(quota=3))
    prepared(made)
    cloud.plan("create", None, trouble(kind))
    with pytest.raises(CloudError):
        made.create("demo")
    assert reserved(tmp_path) == []
    assert made.create("demo")


def test_quota_is_counted_again_for_the_next_place(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path, Account(quota=1))
    made.prepare(DeploymentSpec(id="demo", nodes=(NodeSpec(name="n11"),), parameters={"zones": ["a", "b"]}))
    cloud.plan("create", trouble(Trouble.CAPACITY))
    assert made.create("demo")
    assert cloud.calls["remaining"] == 2
