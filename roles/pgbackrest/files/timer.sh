#!/bin/sh
# timer.sh MODE on|off anew|keep: make the timer of backups run, or not be there.
set -eu
mode=$1 wanted=$2 how=$3
timer=e2e-backup.timer
folder=/etc/systemd/system

if [ "$wanted" = off ]; then
    [ -e "$folder/$timer" ] || exit 0
    echo "changed: no timer of backups"
    [ "$mode" = apply ] || exit 0
    systemctl disable --quiet --now "$timer"
    rm -f "$folder/$timer" "$folder/e2e-backup.service"
    systemctl daemon-reload
    exit 0
fi
if [ "$how" = anew ] || ! systemctl is-enabled --quiet "$timer" 2>/dev/null || ! systemctl is-active --quiet "$timer"; then
    echo "changed: started $timer"
    [ "$mode" = apply ] || exit 0
    systemctl daemon-reload
    systemctl enable --quiet "$timer"
    systemctl restart "$timer"
fi
