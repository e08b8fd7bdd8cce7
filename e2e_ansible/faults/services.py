"""Faults of the services beside the cluster: no backup begins, a restore waits, nobody sees metrics."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from e2e_ansible.faults.base import FaultOptions, NodeFacts, Program, Programs, ShellFault
from e2e_ansible.faults.process import FIND

__all__ = ["DelayRestore", "KillObservability", "PauseBackup"]

#: A unit with such a file cannot be started by anybody. It lies in memory, so a boot ends it.
_FORBID = """\
drop_in() { echo "/run/systemd/system/$1.d/e2e-fault-$key.conf"; }
forbid() {
  mkdir -p "/run/systemd/system/$1.d" || fail "no settings can be given to $1"
  printf '[Unit]\\nAssertPathExists=/nonexistent/e2e-fault\\n' >"$(drop_in "$1")" || fail "$(drop_in "$1")"
  systemctl daemon-reload
}
allow() {
  rm -f "$(drop_in "$1")"
  rmdir "/run/systemd/system/$1.d" 2>/dev/null
  systemctl daemon-reload
}
is_forbidden() {
  case " $(systemctl show --property=DropInPaths --value "$1") " in
    *" $(drop_in "$1") "*) ;;
    *) return 1 ;;
  esac
}
"""
_PAUSE = """\
timer=$1 key=$2
service=${timer%.timer}.service
[ "$(systemctl show --property=LoadState --value "$timer")" = loaded ] ||
  fail "there is no $timer on this node: nothing makes backups here by itself"
systemctl is-active --quiet "$timer" || fail "$timer is not active: there is nothing to pause"
echo active >"$state/was"
sync "$state/was"
systemctl stop "$timer" || fail "$timer cannot be stopped"
forbid "$service"
"""
_PAUSE_EFFECT = """\
timer=$1 key=$2
service=${timer%.timer}.service
[ -s "$state/was" ] || fail "nothing was paused"
! systemctl is-active --quiet "$timer" || fail "$timer is active"
is_forbidden "$service" || fail "$service may still be started"
case $(systemctl show --property=ActiveState --value "$service") in
  active | activating)
    echo "$timer is stopped; one backup is under way and ends, and none begins by itself after it"
    exit 0
    ;;
esac
! timeout 5 systemctl start "$service" 2>/dev/null || fail "$service was started"
[ "$(systemctl show --property=AssertResult --value "$service")" = no ] || fail "$service did not refuse to start"
echo "$timer is stopped, and $service refuses to start"
"""
_PAUSE_HEAL = """\
timer=$1 key=$2
service=${timer%.timer}.service
[ -s "$state/was" ] || exit 0
allow "$service"
[ "$(cat "$state/was")" != active ] || timeout 60 systemctl start "$timer"
"""
_PAUSE_HEALED = """\
timer=$1 key=$2
service=${timer%.timer}.service
[ -s "$state/was" ] || { echo "nothing had been paused"; exit 0; }
! is_forbidden "$service" || fail "$service may still not be started"
now=$(systemctl is-active "$timer")
[ "$now" = "$(cat "$state/was")" ] || fail "$timer is $now, and was $(cat "$state/was") before"
echo "$timer is $now as before, and $service may start"
"""
_DELAY_COMMON = """\
pings() { (cd / && timeout 10 runuser -u postgres -- pgbackrest server-ping --io-timeout=1 127.0.0.1 2>&1); }
"""
_DELAY = """\
unit=pgbackrest.service
pids=$(pgrep -u postgres -f '^([^ ]*/)?pgbackrest .*[ ](restore|archive-get)( |$)')
if [ "$(main_of "$unit")" -gt 1 ]; then
  group=$(systemctl show --property=ControlGroup --value "$unit")
  # A group that is not the service's own would stop the way in as well, and what heals.
  case $group in */"$unit") ;; *) cannot "$unit has no control group of its own" ;; esac
  said=$(pings) || fail "the server of pgBackRest does not answer, so nothing could be delayed: $said"
  pids="$pids $(grep -lF "$group" /proc/[0-9]*/cgroup 2>/dev/null | cut -d / -f 3)"
  echo "$unit" >"$state/server"
fi
pids=$(echo $pids)
[ -n "$pids" ] || fail "neither the server of pgBackRest nor a restore runs here: there is nothing to delay"
for pid in $pids; do echo "$pid $(start_of "$pid")"; done >"$state/paused"
sync "$state/paused"
kill -STOP $pids
"""
_DELAY_EFFECT = """\
[ -s "$state/paused" ] || fail "nothing was delayed"
while read -r pid start; do
  [ "$(start_of "$pid")" = "$start" ] || continue
  [ "$(state_in "$pid")" = T ] || fail "process $pid is not stopped"
  count=$((${count:-0} + 1))
done <"$state/paused"
[ "${count:-0}" -gt 0 ] || fail "none of the stopped processes lives"
[ -s "$state/server" ] || { echo "$count processes that restore are stopped"; exit 0; }
! pings >/dev/null || fail "the server of pgBackRest still answers"
echo "$count processes are stopped, and the server of pgBackRest lets everybody wait"
"""
_DELAY_HEAL = """\
[ -s "$state/paused" ] || exit 0
while read -r pid start; do
  [ "$(start_of "$pid")" != "$start" ] || kill -CONT "$pid"
done <"$state/paused"
"""
_DELAY_HEALED = """\
[ -s "$state/paused" ] || { echo "nothing had been delayed"; exit 0; }
while read -r pid start; do
  [ "$(start_of "$pid")" != "$start" ] || [ "$(state_in "$pid")" != T ] || fail "process $pid is still stopped"
done <"$state/paused"
[ -s "$state/server" ] || { echo "no process is stopped"; exit 0; }
said=$(pings) || fail "the server of pgBackRest does not answer yet: $said"
echo "the server of pgBackRest answers"
"""
_METRICS = """\
answers() { python3 -I -S - "$1" <<'END'
import http.client, sys
host, _, port = sys.argv[1].rpartition(":")
host = host.partition("%")[0].strip("[]")
host = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
try:
    link = http.client.HTTPConnection(host, int(port), timeout=2)
    link.request("GET", "/metrics")
    sys.exit(0 if link.getresponse().status == 200 else 1)
except (OSError, http.client.HTTPException):
    sys.exit(1)
END
}
"""
_KILL = """\
unit=$1 key=$2
pid=$(main_of "$unit")
[ "$pid" -gt 1 ] || fail "$unit does not run: there is nothing to kill"
socket=$(ss -Hltnp | awk -v "who=pid=$pid," 'index($0, who) { print $4; exit }')
[ -n "$socket" ] || fail "$unit listens on no port, so nobody would miss it"
answers "$socket" || fail "$unit gives no metrics on $socket, so nobody would miss it"
echo "$pid $(start_of "$pid") $socket" >"$state/victim"
sync "$state/victim"
forbid "$unit"
kill -KILL "$pid"
"""
_KILL_EFFECT = """\
unit=$1 key=$2
read -r pid start socket <"$state/victim" || fail "nothing was killed"
[ "$(start_of "$pid")" != "$start" ] || [ "$(state_in "$pid")" = Z ] || fail "process $pid still runs"
is_forbidden "$unit" || fail "$unit may be started again"
! systemctl is-active --quiet "$unit" || fail "$unit is active"
! answers "$socket" || fail "metrics are still given on $socket"
echo "process $pid has ended, $unit cannot start again, and nothing answers on $socket"
"""
_KILL_HEAL = """\
unit=$1 key=$2
[ -s "$state/victim" ] || exit 0
allow "$unit"
systemctl reset-failed "$unit" 2>/dev/null
timeout 60 systemctl start "$unit"
"""
_KILL_HEALED = """\
unit=$1 key=$2
[ -s "$state/victim" ] || { echo "nothing had been killed"; exit 0; }
read -r pid start socket <"$state/victim"
! is_forbidden "$unit" || fail "$unit may still not be started"
systemctl is-active --quiet "$unit" || fail "$unit is not active"
now=$(main_of "$unit")
[ "$now $(start_of "$now")" != "$pid $start" ] || fail "process $pid was never killed"
answers "$socket" || fail "no metrics are given on $socket yet"
echo "$unit is active with process $now, and gives metrics on $socket"
"""
_UNIT = r"[A-Za-z0-9][A-Za-z0-9@_.:-]{0,90}"
TimerName = Annotated[str, Field(pattern=rf"^{_UNIT}\.timer$")]
ServiceName = Annotated[str, Field(pattern=rf"^{_UNIT}$")]


class PauseBackupOptions(FaultOptions):
    """Which timer."""

    timer: TimerName = Field("e2e-backup.timer", description="The timer, with a service of the same name")


class PauseBackup(ShellFault[PauseBackupOptions]):
    """No backup begins by itself; one that is asked of pgBackRest directly still can."""

    name = "pause_backup"
    summary = "Stop the timer that makes backups, and forbid its service, so that none begins by itself"
    options = PauseBackupOptions
    effect_proof = "the timer is not active, and its service refuses to start when it is asked to"
    healing = "the service is allowed again and the timer started; it is active as it was before"
    works = "on the node with the timer of the backups: the one with the repository"

    def programs(self, options: PauseBackupOptions, node: NodeFacts) -> Programs:
        """What the timer was is kept before it is touched."""
        what = (options.timer, node.key)
        return Programs(
            inject=Program(_FORBID + _PAUSE, what),
            effect=Program(_FORBID + _PAUSE_EFFECT, what),
            heal=Program(_FORBID + _PAUSE_HEAL, what),
            healed=Program(_FORBID + _PAUSE_HEALED, what),
        )


class DelayRestore(ShellFault[FaultOptions]):
    """Who restores has to wait."""

    name = "delay_restore"
    summary = "Stop the server of pgBackRest, and what restores on this node, with SIGSTOP"
    options = FaultOptions
    effect_proof = "the very processes are in state T; the server answers no ping of pgBackRest"
    healing = "the very processes continue; none is in state T and the server answers"
    works = "on a node with the server of pgBackRest, or where a restore runs at that moment"

    def programs(self, options: FaultOptions, node: NodeFacts) -> Programs:
        """The same on every node."""
        return Programs(
            inject=Program(FIND + _DELAY_COMMON + _DELAY),
            effect=Program(FIND + _DELAY_COMMON + _DELAY_EFFECT),
            heal=Program(FIND + _DELAY_HEAL),
            healed=Program(FIND + _DELAY_COMMON + _DELAY_HEALED),
        )


class KillObservabilityOptions(FaultOptions):
    """Whose metrics."""

    unit: ServiceName = Field(
        "prometheus-postgres-exporter", description="The service whose metrics nobody sees any more"
    )


class KillObservability(ShellFault[KillObservabilityOptions]):
    """Nobody sees metrics."""

    name = "kill_observability"
    summary = "Kill the exporter of metrics with SIGKILL, and keep it down"
    options = KillObservabilityOptions
    effect_proof = "the very process has ended, its service cannot start, and nothing answers on its port"
    healing = "the service is allowed again and started; it runs with another process and gives metrics"
    works = "on nodes with an exporter"

    def programs(self, options: KillObservabilityOptions, node: NodeFacts) -> Programs:
        """The port is that of the process that is killed."""
        unit = options.unit if options.unit.endswith(".service") else f"{options.unit}.service"
        what = (unit, node.key)
        return Programs(
            inject=Program(FIND + _FORBID + _METRICS + _KILL, what),
            effect=Program(FIND + _FORBID + _METRICS + _KILL_EFFECT, what),
            heal=Program(_FORBID + _KILL_HEAL, what),
            healed=Program(FIND + _FORBID + _METRICS + _KILL_HEALED, what),
        )
