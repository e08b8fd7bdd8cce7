"""Starts and stops one node. Whether it runs is read from its processes, never from a file."""

from __future__ import annotations

import secrets
import shlex
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import ProviderError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.local import processes
from e2e_ansible.providers.local.cgroups import make_groups, remove_groups
from e2e_ansible.providers.local.limits import Limits, make_limits, unit_properties
from e2e_ansible.providers.local.mounts import mount_overlay
from e2e_ansible.providers.local.network import remove_cable
from e2e_ansible.providers.local.processes import Process
from e2e_ansible.providers.local.record import Deployment, NodeRecord
from e2e_ansible.providers.system import PROGRAMS, locked, run, tail, write_durably

__all__ = ["LocalNode"]

_POWEROFF = signal.SIGRTMIN + 4
_REBOOT = signal.SIGRTMIN + 5
_ASK_AGAIN_SECONDS = 3.0
_GRACE_SECONDS = 2.0


@dataclass(frozen=True)
class Running:
    """The processes of a node: its keeper, the leader (process 1 inside) and the others, such as nspawn."""

    keepers: tuple[Process, ...]
    leaders: tuple[Process, ...]
    others: tuple[Process, ...]

    @property
    def boots(self) -> frozenset[tuple[int, int]]:
        """Identifies the present boot."""
        return frozenset((leader.pid, leader.start) for leader in self.leaders)

    def __bool__(self) -> bool:
        return bool(self.keepers or self.leaders or self.others)


class LocalNode:
    """One node of a deployment; `lower` is the tree of its image."""

    def __init__(self, deployment: Deployment, node: NodeRecord, lower: Path) -> None:
        self.deployment = deployment
        self.record = node
        self.folder = deployment.node_folder(node)
        self._lower = lower
        self._script = self.folder / "keeper.sh"
        self._console = self.folder / "console.log"

    @property
    def marks(self) -> dict[str, str]:
        """What tells the processes of this node from all others."""
        return {"E2E_DEPLOYMENT": self.deployment.record.id, "E2E_NODE_KEY": self.record.machine_id}

    @property
    def seeded(self) -> bool:
        """Whether its disk has been made."""
        return (self.folder / "seeded").exists()

    def running(self) -> Running:
        """Its processes now."""
        keepers: list[Process] = []
        leaders: list[Process] = []
        others: list[Process] = []
        for process in processes.marked(self.marks):
            if process.is_leader:
                leaders.append(process)
            elif process.command[-1:] == (str(self._script),):
                keepers.append(process)
            else:
                others.append(process)
        return Running(tuple(keepers), tuple(leaders), tuple(others))

    def power(self) -> PowerState:
        """On while any of its processes lives; absent until its disk has been made."""
        if self.running():
            return PowerState.ON
        return PowerState.OFF if self.seeded else PowerState.ABSENT

    def start(self, deadline: Deadline) -> bool:
        """Start it unless it runs; whether it was started. Returns when process 1 is systemd.

        Raises:
            ProviderError: it did not start; the message ends in the last lines of its console.
        """
        with locked(self.folder / "lock", max(deadline.remaining, 1)):
            if self.running():
                return False
            if not remove_cable(self.record.interface, deadline):
                raise ProviderError(f"{self.record.name}: {self.record.interface} of its last start is left")
            mount_overlay(self._lower, self.folder)
            self._launch()
            self._wait_for_leader(deadline)
        return True

    def hard_off(self, deadline: Deadline) -> bool:
        """Kill it as if the cable was pulled; whether it ran. Its disk stays as it is at this moment.

        Raises:
            ProviderError: a process was left at the deadline.
        """
        if not self.folder.is_dir():
            return False
        with locked(self.folder / "lock", max(deadline.remaining, 1)):
            found = bool(self.running())
            grace = Deadline(min(_GRACE_SECONDS, deadline.remaining))
            if not deadline.wait_for(lambda: self._killed(grace), 0.02):
                left = self.running()
                pids = [process.pid for process in (*left.keepers, *left.leaders, *left.others)]
                raise ProviderError(f"{self.record.name}: processes {pids} did not end")
            if not remove_cable(self.record.interface, deadline):
                raise ProviderError(f"{self.record.name}: {self.record.interface} did not go away")
            deadline.wait_for(lambda: not remove_groups(self.record.machine))
        return found

    def off(self, deadline: Deadline) -> bool:
        """Ask its systemd to power off and wait; whether it ran.

        Raises:
            ProviderError: it still ran at the deadline.
        """
        if not self.running():
            return False
        if not self._ask(_POWEROFF, lambda now: not now, deadline):
            raise ProviderError(f"{self.record.name} did not power off within {deadline.seconds:g} s")
        return True

    def reboot(self, deadline: Deadline) -> bool:
        """Ask its systemd to reboot and wait for the next process 1.

        Raises:
            ProviderError: it is off, ended instead, or had not come back at the deadline.
        """
        before = self.running().boots
        if not before:
            raise ProviderError(f"{self.record.name} is off and cannot be rebooted")

        def back(now: Running) -> bool:
            if not now:
                raise ProviderError(f"{self.record.name} ended instead of rebooting:\n{tail(self._console)}")
            return bool(now.boots) and not now.boots & before

        if not self._ask(_REBOOT, back, deadline, only=before):
            raise ProviderError(f"{self.record.name} did not reboot within {deadline.seconds:g} s")
        return True

    def _ask(
        self,
        number: int,
        done: Callable[[Running], bool],
        deadline: Deadline,
        only: frozenset[tuple[int, int]] = frozenset(),
    ) -> bool:
        """Signal process 1 until `done`: one that has just begun to boot drops signals."""
        while not deadline.expired:
            for leader in self.running().leaders:
                if not only or (leader.pid, leader.start) in only:
                    processes.send(leader, number)
            step = Deadline(min(_ASK_AGAIN_SECONDS, deadline.remaining))
            if step.wait_for(lambda: done(self.running())):
                return True
        return done(self.running())

    def _killed(self, grace: Deadline) -> bool:
        """The keeper first, so that nothing starts again; nspawn is given time to take down the cable."""
        now = self.running()
        victims = [*now.keepers, *now.leaders]
        if grace.expired or not now.leaders:
            victims += now.others
        for process in victims:
            processes.send(process, signal.SIGKILL)
        return not now

    def _launch(self) -> None:
        environment = [f"{name}={value}" for name, value in self.marks.items()]
        shell = ["/bin/sh", str(self._script)]
        managed = _systemd_runs_here()
        groups = [] if managed else self._groups()
        write_durably(self._script, self._keeper(groups), 0o700)
        if managed:
            run([*self._unit(), *(f"--setenv={pair}" for pair in environment), *shell])
        else:
            # Nothing of ours goes with it: it stays when the run, and the folders that its variables name, are gone.
            run(
                [
                    "env",
                    "-C",
                    "/",
                    "-i",
                    f"PATH={PROGRAMS}",
                    "LC_ALL=C.UTF-8",
                    *environment,
                    "setsid",
                    "--fork",
                    *shell,
                ]
            )

    def _groups(self) -> list[Path]:
        """What it joins, with its limits said."""
        machine = self.record.machine
        made = make_groups(machine)
        try:
            return [*made, *make_limits(machine, self._limits)]
        except OSError as error:
            text = f"{self.record.name}: the kernel does not take its limits: {error}"
            raise ProviderError(text, hint="leave hardware out, or use provider libvirt") from error

    @property
    def _limits(self) -> Limits:
        return Limits(self.record.cpus, self.record.memory_mb)

    def _unit(self) -> list[str]:
        """Each start has a unit of its own: that of a killed one may still be there for a moment."""
        usual = ("Delegate=yes", "KillMode=mixed", "TimeoutStopSec=5", "Type=exec")
        properties = (*usual, *unit_properties(self._limits))
        return [
            "systemd-run",
            f"--unit=e2e-{self.record.machine}-{secrets.token_hex(3)}",
            "--collect",
            "--quiet",
            *(f"--property={item}" for item in properties),
        ]

    def _keeper(self, groups: Sequence[Path]) -> str:
        """A shell that outlives this process and starts nspawn again when the node reboots (133)."""
        console, pid = shlex.quote(str(self._console)), shlex.quote(str(self.folder / "keeper.pid"))
        joins = "".join(f"echo $$ >{shlex.quote(str(group / 'cgroup.procs'))} || exit\n" for group in groups)
        return (
            "#!/bin/sh\n"
            f"exec </dev/null >>{console} 2>&1\n"
            f"{joins}"
            f"cat /proc/$$/stat >{pid}\n"
            "while :; do\n"
            f"  {shlex.join(self._nspawn())}\n"
            "  code=$?\n"
            '  [ "$code" -eq 133 ] || exit "$code"\n'
            "done\n"
        )

    def _nspawn(self) -> list[str]:
        return [
            "systemd-nspawn",
            "--quiet",
            "--settings=no",
            "--register=no",
            "--keep-unit",
            f"--directory={self.folder / 'root'}",
            f"--machine={self.record.machine}",
            f"--hostname={self.record.name}",
            f"--network-bridge={self.deployment.record.bridge}",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
            "--console=pipe",
            *(f"--setenv={name}={value}" for name, value in self.marks.items()),
            "--boot",
        ]

    def _wait_for_leader(self, deadline: Deadline) -> None:
        deadline.wait_for(lambda: not (now := self.running()) or _booted(now), 0.02)
        if not _booted(self.running()):
            raise ProviderError(f"{self.record.name} did not start; its console:\n{tail(self._console)}")


def _booted(now: Running) -> bool:
    programs = (Path(leader.command[0]).name for leader in now.leaders if leader.command)
    return any(program in ("init", "systemd") for program in programs)


def _systemd_runs_here() -> bool:
    try:
        name = Path("/proc/1/comm").read_text().strip()
    except OSError:
        return False
    return name == "systemd" and Path("/run/systemd/system").is_dir()
