# ---- inject
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d
PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
export PATH LC_ALL
machine=$1 state=$2
shift 2
if [ "$(cat /etc/machine-id)" != "$machine" ]; then
  echo "refused: this is not the machine that the guard saw" >&2
  exit 65
fi
cannot() { echo "not offered: $*" >&2; exit 69; }
fail() { echo "$*" >&2; exit 1; }
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
pings() { (cd / && timeout 10 runuser -u postgres -- pgbackrest server-ping --io-timeout=1 127.0.0.1 2>&1); }
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

# ---- effect
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d
PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
export PATH LC_ALL
machine=$1 state=$2
shift 2
if [ "$(cat /etc/machine-id)" != "$machine" ]; then
  echo "refused: this is not the machine that the guard saw" >&2
  exit 65
fi
cannot() { echo "not offered: $*" >&2; exit 69; }
fail() { echo "$*" >&2; exit 1; }
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
pings() { (cd / && timeout 10 runuser -u postgres -- pgbackrest server-ping --io-timeout=1 127.0.0.1 2>&1); }
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

# ---- heal
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d
PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
export PATH LC_ALL
machine=$1 state=$2
shift 2
if [ "$(cat /etc/machine-id)" != "$machine" ]; then
  echo "refused: this is not the machine that the guard saw" >&2
  exit 65
fi
cannot() { echo "not offered: $*" >&2; exit 69; }
fail() { echo "$*" >&2; exit 1; }
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
[ -s "$state/paused" ] || exit 0
while read -r pid start; do
  [ "$(start_of "$pid")" != "$start" ] || kill -CONT "$pid"
done <"$state/paused"

# ---- healed
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d
PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
export PATH LC_ALL
machine=$1 state=$2
shift 2
if [ "$(cat /etc/machine-id)" != "$machine" ]; then
  echo "refused: this is not the machine that the guard saw" >&2
  exit 65
fi
cannot() { echo "not offered: $*" >&2; exit 69; }
fail() { echo "$*" >&2; exit 1; }
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
pings() { (cd / && timeout 10 runuser -u postgres -- pgbackrest server-ping --io-timeout=1 127.0.0.1 2>&1); }
[ -s "$state/paused" ] || { echo "nothing had been delayed"; exit 0; }
while read -r pid start; do
  [ "$(start_of "$pid")" != "$start" ] || [ "$(state_in "$pid")" != T ] || fail "process $pid is still stopped"
done <"$state/paused"
[ -s "$state/server" ] || { echo "no process is stopped"; exit 0; }
said=$(pings) || fail "the server of pgBackRest does not answer yet: $said"
echo "the server of pgBackRest answers"
