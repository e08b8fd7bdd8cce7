# ---- inject
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d e2e-backup.timer cut_0a1b2c3d
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
timer=$1 key=$2
service=${timer%.timer}.service
[ "$(systemctl show --property=LoadState --value "$timer")" = loaded ] ||
  fail "there is no $timer on this node: nothing makes backups here by itself"
systemctl is-active --quiet "$timer" || fail "$timer is not active: there is nothing to pause"
echo active >"$state/was"
sync "$state/was"
systemctl stop "$timer" || fail "$timer cannot be stopped"
forbid "$service"

# ---- effect
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d e2e-backup.timer cut_0a1b2c3d
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

# ---- heal
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d e2e-backup.timer cut_0a1b2c3d
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
timer=$1 key=$2
service=${timer%.timer}.service
[ -s "$state/was" ] || exit 0
allow "$service"
[ "$(cat "$state/was")" != active ] || timeout 60 systemctl start "$timer"

# ---- healed
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d e2e-backup.timer cut_0a1b2c3d
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
timer=$1 key=$2
service=${timer%.timer}.service
[ -s "$state/was" ] || { echo "nothing had been paused"; exit 0; }
! is_forbidden "$service" || fail "$service may still not be started"
now=$(systemctl is-active "$timer")
[ "$now" = "$(cat "$state/was")" ] || fail "$timer is $now, and was $(cat "$state/was") before"
echo "$timer is $now as before, and $service may start"
