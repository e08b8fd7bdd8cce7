"""Programs of faults are data: what is sent to a node for which options, shown word by word."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from e2e_ansible.errors import UsageError
from e2e_ansible.faults.base import NodeFacts, Peer, PowerFault, ShellFault
from e2e_ansible.faults.manual import manual
from e2e_ansible.faults.registry import fault_named, faults, options_of
from e2e_ansible.faults.script import key_of, lay_down, script

REPOSITORY = Path(__file__).resolve().parents[3]
GOLDEN = REPOSITORY / "tests/data/faults"
PEERS = {"n12": Peer("10.0.0.12"), "n13": Peer("fd00::13", 2222)}
NODE = NodeFacts("n11", "cut_0a1b2c3d", container=True, peers=PEERS, targets=("n11",))
NEEDED = {"corruption": {"relation": "pg_class"}}
SHELL = sorted(name for name, fault in faults().items() if isinstance(fault, ShellFault))


def text_of(name: str) -> str:
    """All programs of a fault as whole scripts."""
    fault = fault_named(name)
    assert isinstance(fault, ShellFault)
    programs = fault.programs(options_of(fault, NEEDED.get(name, {})), NODE)
    parts = ("inject", "effect", "heal", "healed")
    return "\n".join(f"# ---- {part}\n{script(getattr(programs, part), 'f00d', NODE.key)}" for part in parts)


@pytest.mark.parametrize("name", SHELL)
def test_programs_are_the_golden_ones(name: str) -> None:
    """To renew them: python tests/unit/faults/test_fault_programs.py"""
    assert text_of(name) == (GOLDEN / f"{name}.sh").read_text()


def test_there_is_a_golden_file_for_each_fault_and_no_other() -> None:
    assert sorted(path.stem for path in GOLDEN.iterdir()) == SHELL


@pytest.mark.parametrize("name", SHELL)
def test_programs_are_what_a_shell_can_read(name: str) -> None:
    for shell in ("sh", "bash"):
        done = subprocess.run(
            [shell, "-n"], input=text_of(name), text=True, capture_output=True, check=False, timeout=20
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", SHELL)
def test_a_script_refuses_another_machine_before_it_does_anything(name: str) -> None:
    """This machine is another one: nothing may be done here."""
    for part in text_of(name).split("# ---- ")[1:]:
        done = subprocess.run(
            ["sh", "-c", part.partition("\n")[2]], capture_output=True, text=True, check=False, timeout=20
        )
        assert done.returncode == 65
        assert done.stderr == "refused: this is not the machine that the guard saw\n"


def test_what_is_laid_down_refuses_another_machine() -> None:
    text = lay_down("f00d", "key", "{}", "exit 0", 60)
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 65


def test_options_cannot_become_programs() -> None:
    fault = fault_named("disk_full")
    with pytest.raises(UsageError, match="folder"):
        options_of(fault, {"folder": "/tmp; reboot"})
    with pytest.raises(UsageError, match="unit"):
        options_of(fault_named("kill"), {"unit": "$(reboot)"})
    with pytest.raises(UsageError, match="relation"):
        options_of(fault_named("corruption"), {"relation": "a'; drop table b; --"})
    with pytest.raises(UsageError, match="timer"):
        options_of(fault_named("pause_backup"), {"timer": "e2e-backup.service"})
    with pytest.raises(UsageError, match="unit"):
        options_of(fault_named("kill_observability"), {"unit": "a b"})


@pytest.mark.parametrize("unit", ["ssh", "sshd.service", "systemd-networkd", "dbus", "e2e-heal-x"])
def test_the_way_in_is_never_killed(unit: str) -> None:
    for name in ("kill", "pause"):
        with pytest.raises(UsageError, match="way in"):
            options_of(fault_named(name), {"unit": unit})


def test_a_wrong_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError) as unknown:
        fault_named("partion")
    assert unknown.value.hint == "did you mean 'partition'?"
    with pytest.raises(UsageError) as option:
        options_of(fault_named("partition"), {"direktion": "in"})
    assert option.value.hint == "did you mean 'direction'?"


@pytest.mark.parametrize("name", ["latency", "disk_slow", "clock_jump", "panic"])
def test_what_needs_a_kernel_of_its_own_is_refused_in_a_container(name: str) -> None:
    fault = fault_named(name)
    options = options_of(fault, {})
    assert "n11 is a container" in fault.refusal(options, NODE)
    assert fault.refusal(options, NodeFacts("n11", "key")) == ""


def test_pressure_on_a_container_is_bounded() -> None:
    memory, cpu = fault_named("memory_pressure"), fault_named("cpu_pressure")
    assert memory.refusal(options_of(memory, {"mb": 512}), NODE) == ""
    assert "the controller's" in memory.refusal(options_of(memory, {"mb": 513}), NODE)
    assert "the controller's" in cpu.refusal(options_of(cpu, {"workers": 2}), NODE)
    assert cpu.refusal(options_of(cpu, {"workers": 64}), NodeFacts("n11", "key")) == ""


@pytest.mark.parametrize(
    ("shape", "targets", "node", "places", "cut"),
    [
        ("isolate", ("n11",), "n11", ("n11",), "n12 n13 n14 n15"),
        ("isolate", ("n11", "n12"), "n12", ("n11", "n12"), "n11 n13 n14 n15"),
        ("halves", ("n11", "n12"), "n12", ("n11", "n12"), "n13 n14 n15"),
        ("bridge", ("n13",), "n12", ("n11", "n12"), "n14 n15"),
    ],
)
def test_a_partition_cuts_the_right_nodes(
    shape: str, targets: tuple[str, ...], node: str, places: tuple[str, ...], cut: str
) -> None:
    nodes = ("n11", "n12", "n13", "n14", "n15")
    fault = fault_named("partition")
    assert isinstance(fault, ShellFault)
    options = options_of(fault, {"shape": shape})
    assert fault.places(options, targets, nodes) == places
    peers = {name: Peer(name) for name in nodes if name != node}
    programs = fault.programs(options, NodeFacts(node, "key", peers=peers, targets=targets))
    assert " ".join(word.partition(",")[0] for word in programs.inject.arguments[3:]) == cut


def test_keys_are_short_and_of_one_fault() -> None:
    names = [f"{index:02d}-cut/n{node}" for index in range(50) for node in range(11, 20)]
    keys = {key_of(name) for name in names}
    assert len(keys) == len(names)
    assert all(len(key) <= 24 and key.replace("_", "").isalnum() for key in keys)


def test_power_faults_name_roles_that_are_there() -> None:
    for fault in faults().values():
        if isinstance(fault, PowerFault):
            role, _ = fault.role(options_of(fault, {}))
            assert (REPOSITORY / "roles" / role / "tasks/main.yml").is_file()


def test_the_page_of_all_faults_is_the_one_in_the_docs() -> None:
    """To renew it: python -m e2e_ansible.faults.manual > docs/faults.md"""
    assert (REPOSITORY / "docs/faults.md").read_text() == manual()


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for each in SHELL:
        (GOLDEN / f"{each}.sh").write_text(text_of(each))
