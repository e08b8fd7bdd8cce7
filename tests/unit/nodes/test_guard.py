"""Every reason to refuse, one row each."""

from __future__ import annotations

from typing import Any

import pytest

from e2e_ansible.nodes.checkpoint import Target, check
from e2e_ansible.nodes.guard import Identity, refusal, same_kernel, sysrq_refusal
from e2e_ansible.nodes.link import Answer
from e2e_ansible.nodes.observation import Unreachable

CONTROLLER = Identity(
    machine_id="c" * 32, boot_id="boot-c", boot_time=1000, kernel="6.1", pid1_start=3, pid_namespace="pid:[1]"
)
MACHINE = Identity(
    machine_id="a" * 32, boot_id="boot-a", boot_time=5000, kernel="6.1", pid1_start=2, pid_namespace="pid:[1]"
)
CONTAINER = CONTROLLER.model_copy(
    update={
        "machine_id": "b" * 32,
        "pid1_start": 900,
        "pid_namespace": "pid:[2]",
        "container": "systemd-nspawn",
    }
)


def _refusal(target: Identity = MACHINE, **changes: Any) -> str | None:
    known: dict[str, Any] = {
        "controller": CONTROLLER,
        "host": "n12",
        "connection": "ssh",
        "address": "10.0.0.12",
        "in_inventory": True,
    }
    return refusal(target=target, **{**known, **changes})


@pytest.mark.parametrize(
    ("target", "changes", "reason"),
    [
        (MACHINE, {"in_inventory": False}, "not a host of the inventory"),
        (MACHINE, {"connection": "local"}, "local connection"),
        (MACHINE, {"connection": "ansible.builtin.local"}, "local connection"),
        (MACHINE, {"host": "localhost"}, "this machine by name"),
        (MACHINE, {"address": "127.0.0.1"}, "this machine by name"),
        (MACHINE, {"address": "::1"}, "this machine by name"),
        (MACHINE, {"address": "LocalHost"}, "this machine by name"),
        (MACHINE, {"address": ""}, "this machine by name"),
        (MACHINE.model_copy(update={"machine_id": ""}), {}, "does not tell"),
        (MACHINE.model_copy(update={"boot_id": ""}), {}, "does not tell"),
        (MACHINE.model_copy(update={"machine_id": "c" * 32}), {}, "machine id of the controller"),
        (CONTAINER.model_copy(update={"machine_id": "c" * 32}), {}, "machine id of the controller"),
        (MACHINE, {"expected_machine_id": "f" * 32}, "the node made was"),
        (MACHINE.model_copy(update={"boot_id": "boot-c"}), {}, "is not a container"),
        (MACHINE.model_copy(update={"boot_time": 1001}), {}, "is not a container"),
        (CONTAINER.model_copy(update={"pid_namespace": "pid:[1]"}), {}, "process namespace"),
        (
            CONTAINER.model_copy(update={"pid_namespace": "pid:[1]", "boot_id": "own"}),
            {},
            "process namespace",
        ),
    ],
)
def test_refuses(target: Identity, changes: dict[str, Any], reason: str) -> None:
    said = _refusal(target, **changes)
    assert said is not None
    assert reason in said


@pytest.mark.parametrize(
    ("target", "changes"),
    [
        (MACHINE, {}),
        (MACHINE, {"expected_machine_id": "a" * 32}),
        (CONTAINER, {}),
        (CONTAINER.model_copy(update={"boot_id": "a boot id of its own"}), {}),
        (MACHINE.model_copy(update={"boot_time": 1001, "kernel": "6.2"}), {}),
    ],
    ids=[
        "machine",
        "expected machine",
        "container with the same boot id",
        "container with its own",
        "kernel",
    ],
)
def test_allows(target: Identity, changes: dict[str, Any]) -> None:
    assert _refusal(target, **changes) is None


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (CONTAINER, "is a container"),
        (MACHINE.model_copy(update={"container": "docker"}), "is a container"),
        (MACHINE.model_copy(update={"boot_id": "boot-c"}), "kernel of the controller"),
        (MACHINE, None),
    ],
)
def test_sysrq(target: Identity, reason: str | None) -> None:
    said = sysrq_refusal(controller=CONTROLLER, target=target, host="n12")
    assert said is None if reason is None else reason in (said or "")


def test_empty_boot_ids_are_not_the_same_kernel() -> None:
    one = CONTROLLER.model_copy(update={"boot_id": "", "boot_time": 1})
    assert not same_kernel(one, CONTROLLER.model_copy(update={"boot_id": ""}))


TARGET = Target(host="n12", connection="ssh", address="10.0.0.12", in_inventory=True)


def _check(answer: Answer, target: Target = TARGET, *, sysrq: bool = False) -> dict[str, Any]:
    return check(target, CONTROLLER, lambda: answer, sysrq=sysrq)


def test_a_delegated_task_is_refused_without_a_look() -> None:
    def never() -> Answer:
        raise AssertionError

    result = check(TARGET.model_copy(update={"delegated_to": "n13"}), CONTROLLER, never, sysrq=False)
    assert result["msg"].startswith("refused: ")
    assert result["failed"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(reachable=False, unreachable=Unreachable.TIMEOUT, reason="timed out"),
        Answer(reachable=True, reason="the probe did not run"),
    ],
)
def test_a_target_that_does_not_tell_who_it_is_is_refused(answer: Answer) -> None:
    result = _check(answer)
    assert result["msg"].startswith("refused: ")
    assert answer.reason in result["msg"]


def test_a_refusal_shows_the_identity() -> None:
    result = _check(Answer(reachable=True, identity=CONTROLLER))
    assert result["failed"]
    assert result["identity"]["machine_id"] == CONTROLLER.machine_id


def test_an_allowed_target_gives_its_boot() -> None:
    result = _check(Answer(reachable=True, identity=MACHINE))
    assert result == {
        "changed": False,
        "identity": MACHINE.model_dump(mode="json"),
        "boot": ["boot-a", 2],
    }


@pytest.mark.parametrize(("identity", "allowed"), [(MACHINE, True), (CONTAINER, False)])
def test_a_refused_sysrq_is_told_and_not_failed(identity: Identity, allowed: bool) -> None:
    result = _check(Answer(reachable=True, identity=identity), sysrq=True)
    assert "failed" not in result
    assert result["sysrq_allowed"] is allowed
    assert bool(result["sysrq_reason"]) is not allowed
