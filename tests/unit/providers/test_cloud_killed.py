"""A process that is killed in the middle of making machines loses none of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from memory_cloud import Account, MemoryCloud, Vm, provider

from e2e_ansible.providers.base import DeploymentSpec, NodeSpec
from e2e_ansible.providers.cloud.machine import Order
from e2e_ansible.providers.cloud.record import CloudStore

HERE = Path(__file__).parent
#: Makes machines in an account that is a file, and dies at the call that its arguments name.
CHILD = """
import os, signal, sys
from pathlib import Path
from memory_cloud import provider
from test_cloud_killed import written
signal.signal(signal.SIGINT, signal.default_int_handler)  # what was started in the background ignores it
home, when, number, how = sys.argv[1:]
made, cloud = provider(Path(home))

def die(call):
    written(cloud, Path(home, "account"))
    if call == when and cloud.calls[call] == int(number):
        os.kill(os.getpid(), signal.SIGINT if how == "int" else signal.SIGKILL)

cloud.on_call = die
made.create("demo")
"""


def written(cloud: MemoryCloud, file: Path) -> None:
    """What the account has outlives the process."""
    file.write_text(
        json.dumps([[vm.id, vm.order.model_dump(mode="json")] for vm in cloud.account.vms.values()])
    )


def survivors(file: Path) -> Account:
    account = Account()
    for name, text in json.loads(file.read_text()):
        order = Order.model_validate(text)
        account.vms[name] = Vm(order, name, "198.51.100.1", "running")
    return account


@pytest.mark.parametrize(
    ("call", "number", "there"),
    [("create", 1, 0), ("create", 3, 2), ("machines", 2, 3), ("remaining", 1, 0)],
)
@pytest.mark.parametrize("how", ["int", "kill"])
def test_all_are_found_and_removed(tmp_path: Path, call: str, number: int, there: int, how: str) -> None:
    nodes = tuple(NodeSpec(name=name) for name in ("n11", "n12", "n13"))
    provider(tmp_path)[0].prepare(DeploymentSpec(id="demo", nodes=nodes))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), call, str(number), how],
        env={**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[2]}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == (-signal.SIGINT if how == "int" else -signal.SIGKILL), done.stderr
    account = survivors(tmp_path / "account")
    assert len(account.vms) == there
    ledger = CloudStore("memory", tmp_path).load("demo").ledger()
    begun = {act.machine for act in ledger if act.act == "creating"}
    assert {vm.order.machine for vm in account.vms.values()} <= begun
    elsewhere, _ = provider(tmp_path / "other", account)
    assert [each.deployment for each in elsewhere.deployed()] == ["demo"] * bool(there)
    here, _ = provider(tmp_path, account)
    assert here.destroy("demo") is True
    assert not account.vms
    assert list(here.deployments()) == []


def test_what_the_provider_hears_late_is_removed_as_well(tmp_path: Path) -> None:
    """The call was made and the process died; the machine is listed some looks later."""
    account = Account(unseen=3)
    made, cloud = provider(tmp_path, account, lag=5)
    made.prepare(DeploymentSpec(id="demo", nodes=(NodeSpec(name="n11"),)))
    cloud.plan("create", (KeyboardInterrupt(), True))
    with pytest.raises(KeyboardInterrupt):
        made.create("demo")
    assert made.destroy("demo") is True
    assert not account.vms


def test_after_its_time_a_call_that_was_never_heard_is_not_waited_for(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path, lag=0.05)
    made.prepare(DeploymentSpec(id="demo", nodes=(NodeSpec(name="n11"),)))
    cloud.plan("create", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        made.create("demo")
    assert made.destroy("demo") is True
    assert list(made.deployments()) == []
