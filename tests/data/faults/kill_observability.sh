# ---- inject
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d prometheus-postgres-exporter.service cut_0a1b2c3d
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
drop_in() { echo "/run/systemd/system/$1.d/e2e-fault-$key.conf"; }
forbid() {
  mkdir -p "/run/systemd/system/$1.d" || fail "no settings can be given to $1"
  printf '[Unit]\nAssertPathExists=/nonexistent/e2e-fault\n' >"$(drop_in "$1")" || fail "$(drop_in "$1")"
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

# ---- effect
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d prometheus-postgres-exporter.service cut_0a1b2c3d
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
drop_in() { echo "/run/systemd/system/$1.d/e2e-fault-$key.conf"; }
forbid() {
  mkdir -p "/run/systemd/system/$1.d" || fail "no settings can be given to $1"
  printf '[Unit]\nAssertPathExists=/nonexistent/e2e-fault\n' >"$(drop_in "$1")" || fail "$(drop_in "$1")"
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
unit=$1 key=$2
read -r pid start socket <"$state/victim" || fail "nothing was killed"
[ "$(start_of "$pid")" != "$start" ] || [ "$(state_in "$pid")" = Z ] || fail "process $pid still runs"
is_forbidden "$unit" || fail "$unit may be started again"
! systemctl is-active --quiet "$unit" || fail "$unit is active"
! answers "$socket" || fail "metrics are still given on $socket"
echo "process $pid has ended, $unit cannot start again, and nothing answers on $socket"

# ---- heal
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d prometheus-postgres-exporter.service cut_0a1b2c3d
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
drop_in() { echo "/run/systemd/system/$1.d/e2e-fault-$key.conf"; }
forbid() {
  mkdir -p "/run/systemd/system/$1.d" || fail "no settings can be given to $1"
  printf '[Unit]\nAssertPathExists=/nonexistent/e2e-fault\n' >"$(drop_in "$1")" || fail "$(drop_in "$1")"
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
unit=$1 key=$2
[ -s "$state/victim" ] || exit 0
allow "$unit"
systemctl reset-failed "$unit" 2>/dev/null
timeout 60 systemctl start "$unit"

# ---- healed
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d prometheus-postgres-exporter.service cut_0a1b2c3d
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
drop_in() { echo "/run/systemd/system/$1.d/e2e-fault-$key.conf"; }
forbid() {
  mkdir -p "/run/systemd/system/$1.d" || fail "no settings can be given to $1"
  printf '[Unit]\nAssertPathExists=/nonexistent/e2e-fault\n' >"$(drop_in "$1")" || fail "$(drop_in "$1")"
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
unit=$1 key=$2
[ -s "$state/victim" ] || { echo "nothing had been killed"; exit 0; }
read -r pid start socket <"$state/victim"
! is_forbidden "$unit" || fail "$unit may still not be started"
systemctl is-active --quiet "$unit" || fail "$unit is not active"
now=$(main_of "$unit")
[ "$now $(start_of "$now")" != "$pid $start" ] || fail "process $pid was never killed"
answers "$socket" || fail "no metrics are given on $socket yet"
echo "$unit is active with process $now, and gives metrics on $socket"
