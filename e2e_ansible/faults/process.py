"""Faults of processes: killed, or stopped in the middle of what they do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from e2e_ansible.faults.base import FaultOptions, NodeFacts, Program, Programs, ShellFault

__all__ = ["FIND", "Kill", "Pause"]

_KEEPS_THE_WAY_IN = ("ssh", "sshd", "systemd-", "dbus", "init.scope", "user@", "session-", "e2e-")
FIND = """\
start_of() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }
state_in() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 1; }
main_of() { systemctl show --property=MainPID --value "$1"; }
postmaster() {
  for pid in $(pgrep -x 'postgres|postmaster' -u postgres); do
    parent=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d ' ' -f 2)
    [ "$(cat "/proc/${parent:-none}/comm" 2>/dev/null)" = postgres ] || { echo "$pid"; return; }
  done
}
unit_of() {
  case $1 in
    postgres)
      if systemctl is-active --quiet patroni.service; then
        echo patroni.service
      else
        systemctl list-units --plain --no-legend --all --type=service 'postgresql@*' 'postgresql-[0-9]*' |
          awk '{ print $1; exit }'
      fi
      ;;
    *.service) echo "$1" ;;
    *) echo "$1.service" ;;
  esac
}
victim() {
  if [ "$1" = postgres ]; then postmaster; else main_of "$(unit_of "$1")"; fi
}
"""
_KILL = """\
what=$1
unit=$(unit_of "$what")
pid=$(victim "$what")
[ -n "$pid" ] && [ "$pid" -gt 1 ] || fail "$what does not run: there is nothing to kill"
echo "$unit" >"$state/unit"
echo "$pid $(start_of "$pid")" >"$state/victim"
sync "$state/unit" "$state/victim"
kill -KILL "$pid"
"""
_KILL_EFFECT = """\
read -r pid start <"$state/victim" || fail "nothing was killed"
[ "$(start_of "$pid")" != "$start" ] || [ "$(state_in "$pid")" = Z ] || fail "process $pid still runs"
echo "process $pid has ended"
"""
_KILL_HEAL = """\
[ -s "$state/unit" ] || exit 0
unit=$(cat "$state/unit")
for try in 1 2 3 4 5 6; do
  systemctl is-active --quiet "$unit" && exit 0
  [ "$(systemctl is-failed "$unit")" = activating ] || break
  sleep 0.5
done
systemctl reset-failed "$unit" 2>/dev/null
# Killed while it was still starting, its own start fails first, and that of the heal with it.
timeout 60 systemctl start "$unit" || {
  systemctl reset-failed "$unit" 2>/dev/null
  timeout 60 systemctl start "$unit"
}
"""
_KILL_HEALED = """\
what=$1
[ -s "$state/unit" ] || { echo "nothing had been killed"; exit 0; }
read -r pid start <"$state/victim"
unit=$(cat "$state/unit")
systemctl is-active --quiet "$unit" || fail "$unit is not active"
now=$(victim "$what")
[ -n "$now" ] && [ "$now" -gt 1 ] || fail "$what has no process"
[ "$now $(start_of "$now")" != "$pid $start" ] || fail "process $pid was never killed"
if [ "$what" = postgres ] && command -v pg_isready >/dev/null; then
  pg_isready --quiet --timeout=2 || fail "PostgreSQL does not answer yet"
fi
echo "$unit is active, with process $now"
"""
_PAUSE = """\
what=$1
unit=$(unit_of "$what")
if [ "$what" = postgres ]; then
  pids=$(pgrep -x 'postgres|postmaster' -u postgres)
else
  main=$(main_of "$unit")
  [ "$main" -gt 1 ] || fail "$unit does not run: there is nothing to pause"
  group=$(systemctl show --property=ControlGroup --value "$unit")
  # A group that is not the service's own would stop the way in as well, and what heals.
  case $group in */"$unit") ;; *) cannot "$unit has no control group of its own" ;; esac
  pids=''
  for pid in $(grep -lF "$group" /proc/[0-9]*/cgroup 2>/dev/null | cut -d / -f 3); do
    [ "$what" = patroni ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = postgres ] || pids="$pids $pid"
  done
fi
[ -n "$pids" ] || fail "$what does not run: there is nothing to pause"
for pid in $pids; do echo "$pid $(start_of "$pid")"; done >"$state/paused"
sync "$state/paused"
kill -STOP $pids
"""
_PAUSE_EFFECT = """\
what=$1
[ -s "$state/paused" ] || fail "nothing was paused"
while read -r pid start; do
  [ "$(start_of "$pid")" = "$start" ] || continue
  [ "$(state_in "$pid")" = T ] || fail "process $pid is not stopped"
  count=$((${count:-0} + 1))
done <"$state/paused"
[ "${count:-0}" -gt 0 ] || fail "none of the paused processes lives"
if [ "$what" = postgres ] && command -v pg_isready >/dev/null && pg_isready --quiet --timeout=1; then
  fail "PostgreSQL still answers"
fi
echo "$count processes are stopped"
"""
_PAUSE_HEAL = """\
[ -s "$state/paused" ] || exit 0
while read -r pid start; do
  [ "$(start_of "$pid")" != "$start" ] || kill -CONT "$pid"
done <"$state/paused"
"""
_PAUSE_HEALED = """\
what=$1
[ -s "$state/paused" ] || { echo "nothing had been paused"; exit 0; }
while read -r pid start; do
  [ "$(start_of "$pid")" != "$start" ] || [ "$(state_in "$pid")" != T ] || fail "process $pid is still stopped"
done <"$state/paused"
if [ "$what" = postgres ] && command -v pg_isready >/dev/null; then
  pg_isready --quiet --timeout=2 || fail "PostgreSQL does not answer yet"
fi
echo "no process is stopped"
"""
Unit = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9@_.:-]*$", max_length=100)]


class ProcessOptions(FaultOptions):
    """Whose processes."""

    process: Literal["postgres", "patroni", "etcd"] | None = Field(
        None, description="PostgreSQL (the default), Patroni or etcd"
    )
    unit: Unit | None = Field(None, description="In place of that: a service by name")

    @model_validator(mode="after")
    def _one_of_them(self) -> ProcessOptions:
        if self.process and self.unit:
            raise ValueError("say process or unit, not both")
        if self.unit and self.unit.startswith(_KEEPS_THE_WAY_IN):
            raise ValueError(f"{self.unit} is the controller's way in, or what heals; it is left alone")
        return self

    @property
    def what(self) -> str:
        """The one that is meant."""
        return self.unit or self.process or "postgres"


class Kill(ShellFault[ProcessOptions]):
    """SIGKILL."""

    name = "kill"
    summary = "Kill the main process of PostgreSQL, Patroni, etcd or a service with SIGKILL"
    options = ProcessOptions
    effect_proof = "the very process, by its number and its start, has ended"
    healing = "the service is started if its manager does not; it is active with another process"
    works = "everywhere with systemd"

    def programs(self, options: ProcessOptions, node: NodeFacts) -> Programs:
        """The same on every node."""
        what = (options.what,)
        return Programs(
            inject=Program(FIND + _KILL, what),
            effect=Program(FIND + _KILL_EFFECT),
            heal=Program(_KILL_HEAL),
            healed=Program(FIND + _KILL_HEALED, what),
        )


class Pause(ShellFault[ProcessOptions]):
    """SIGSTOP."""

    name = "pause"
    summary = "Stop all processes of PostgreSQL, Patroni (not its PostgreSQL), etcd or a service with SIGSTOP"
    options = ProcessOptions
    effect_proof = "the very processes are in state T; PostgreSQL answers no connection"
    healing = "the very processes continue; none is in state T and PostgreSQL answers"
    works = "everywhere with systemd"

    def programs(self, options: ProcessOptions, node: NodeFacts) -> Programs:
        """The same on every node."""
        what = (options.what,)
        return Programs(
            inject=Program(FIND + _PAUSE, what),
            effect=Program(FIND + _PAUSE_EFFECT, what),
            heal=Program(FIND + _PAUSE_HEAL),
            healed=Program(FIND + _PAUSE_HEALED, what),
        )
