#!/bin/sh
# install.sh MODE SECONDS PACKAGE...: make the packages be there.
set -eu
mode=$1 seconds=$2
shift 2
deadline=$(($(date +%s) + seconds))
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

refuse() { echo "refused: $*"; exit 3; }

# Neither an option nor a file nor nothing at all, which apt would take as well.
for package in "$@"; do
    case $package in
    "" | [!a-z0-9]* | *[!a-z0-9.+:-]*) refuse "'$package' is no name of a package" ;;
    esac
done

# Roles that are played at the same time take turns: no list is renewed while another one reads it.
take_turn() {
    exec 9>/run/lock/e2e-packages.lock
    flock -w "$1" 9 || refuse "another installation has not ended after $1 s"
}

missing() {
    for package in "$@"; do
        # shellcheck disable=SC2016  # a format of dpkg-query, not of the shell
        status=$(dpkg-query -W -f '${db:Status-Status}' -- "$package" 2>/dev/null) || status=
        [ "$status" = installed ] || printf ' %s' "$package"
    done
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

# What was loaded onto the node beforehand needs no new lists and no network.
loaded() {
    [ -e /etc/apt/preferences.d/e2e-loaded ] || return 1
    uris=$(apt-get -qq -y --no-install-recommends --print-uris install "$@" 2>/dev/null </dev/null) || return 1
    ! echo "$uris" | grep -q "^'[^f]"
}

wanted=$(missing "$@")
[ -n "$wanted" ] || exit 0
echo "changed: installed$wanted"
[ "$mode" = apply ] || exit 0
take_turn "$seconds"
wanted=$(missing "$@")
[ -n "$wanted" ] || exit 0
# Stopped until the next start of the node; a job of theirs that runs now is waited for.
systemctl stop apt-daily.timer apt-daily-upgrade.timer 2>/dev/null || true
# shellcheck disable=SC2086  # several names
loaded $wanted || update
left=$((deadline - $(date +%s)))
[ "$left" -gt 0 ] || left=1
# shellcheck disable=SC2086  # several names
output=$(apt-get -qq -y --no-install-recommends -o "DPkg::Lock::Timeout=$left" install $wanted 2>&1 </dev/null) ||
    refuse "installing$wanted failed: $(echo "$output" | grep -E '^(E|W):' | tail -n 3 | tr '\n' ' ')"
