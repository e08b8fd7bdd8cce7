#!/bin/sh
# admin_ui.sh MODE INSTALL_SECONDS READY_SECONDS: make Cockpit answer on https://localhost:9090.
set -eu
mode=$1 install_seconds=$2 ready_seconds=$3
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

refuse() { echo "refused: $*"; exit 3; }

# Roles that are played at the same time take turns: no list is renewed while another one reads it.
take_turn() {
    exec 9>/run/lock/e2e-packages.lock
    flock -w "$1" 9 || refuse "another installation has not ended after $1 s"
}

# `apt-get update` does not wait for the lock of the package lists by itself.
update() {
    tries=0
    until output=$(apt-get -qq -o APT::Update::Error-Mode=any update 2>&1 </dev/null); do
        case $output in
        *"Could not get lock"* | *"Unable to lock"*) ;;
        *) tries=$((tries + 1)) ;;
        esac
        if [ "$tries" -ge 3 ] || [ "$(date +%s)" -ge "$deadline" ]; then
            echo "package lists could not be renewed: $output"
            return 0
        fi
        sleep 2
    done
}

install_cockpit() {
    deadline=$(($(date +%s) + install_seconds))
    take_turn "$install_seconds"
    # Stopped until the next start of the node; a job of theirs that runs now is waited for.
    systemctl stop apt-daily.timer apt-daily-upgrade.timer 2>/dev/null || true
    update
    left=$((deadline - $(date +%s)))
    [ "$left" -gt 0 ] || left=1
    output=$(apt-get -qq -y --no-install-recommends -o "DPkg::Lock::Timeout=$left" install cockpit-ws cockpit-bridge 2>&1 </dev/null) ||
        refuse "installing cockpit-ws failed: $(echo "$output" | grep -E '^(E|W):' | tail -n 3 | tr '\n' ' ')"
}

if [ ! -e /lib/systemd/system/cockpit.socket ]; then
    echo "changed: installed cockpit-ws"
    [ "$mode" = apply ] || exit 0
    install_cockpit
fi
if ! systemctl is-enabled --quiet cockpit.socket || ! systemctl is-active --quiet cockpit.socket; then
    echo "changed: enabled cockpit.socket"
    [ "$mode" = apply ] || exit 0
    systemctl enable --quiet --now cockpit.socket || refuse "cockpit.socket does not start"
fi
[ "$mode" = apply ] || exit 0

# The certificate of the node is signed by itself; only whether somebody answers is asked here.
answer=$(python3 -c '
import http.client, ssl, sys, time
deadline = time.monotonic() + float(sys.argv[1])
context = ssl._create_unverified_context()
while True:
    try:
        connection = http.client.HTTPSConnection("localhost", 9090, timeout=5, context=context)
        connection.request("GET", "/")
        status = connection.getresponse().status
        problem = f"answered {status}" if status >= 500 else ""
    except OSError as error:
        problem = str(error)
    if not problem or time.monotonic() > deadline:
        break
    time.sleep(0.2)
sys.exit(problem or 0)' "$ready_seconds" 2>&1) || refuse "https://localhost:9090 does not answer after $ready_seconds s: $answer"
