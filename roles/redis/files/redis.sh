#!/bin/sh
# redis.sh MODE HOW PORT SECONDS: make Redis run, anew if HOW says so, and wait for its answer.
set -eu
mode=$1 how=$2 port=$3 deadline=$(($(date +%s) + $4))
unit=redis-server.service
include='include /etc/redis/e2e.conf'

refuse() { echo "refused: $*"; exit 3; }

# The password is only in files and in this pipe; a list of processes never has it.
ask() { { sed -n 's/^requirepass /AUTH /p' /etc/redis/e2e.conf; echo PING; } | redis-cli -p "$port" 2>&1; }

# What is read last, wins.
if ! grep -qxF "$include" /etc/redis/redis.conf; then
    echo "changed: included e2e.conf"
    [ "$mode" = check ] || echo "$include" >>/etc/redis/redis.conf
    how=anew
fi
if [ "$how" = anew ] || ! systemctl -q is-active "$unit" || ! systemctl -q is-enabled "$unit"; then
    echo "changed: started $unit"
    [ "$mode" = apply ] || exit 0
    systemctl -q is-enabled "$unit" || systemctl -q enable "$unit" 2>/dev/null
    # What could not start a few times is not tried again by systemd for a while.
    systemctl reset-failed "$unit" 2>/dev/null || true
    systemctl restart "$unit" 2>/dev/null || refuse "$unit does not start: $(journalctl -q -n 3 -o cat -u "$unit" | tr '\n' ' ')"
fi
[ "$mode" = apply ] || exit 0
until [ "$(ask | tail -n 1)" = PONG ]; do
    [ "$(date +%s)" -lt "$deadline" ] || refuse "no answer on port $port: $(ask | tail -n 1)"
    sleep 0.2
done
