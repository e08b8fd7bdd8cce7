#!/bin/sh
# packages.sh MODE VERSION SOURCE SECONDS: make the server packages be there; say which version and which network.
set -eu
mode=$1 version=$2 source=$3 seconds=$4
deadline=$(($(date +%s) + seconds))
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

refuse() { echo "refused: $*"; exit 3; }

# Roles that are played at the same time take turns: no list is renewed while another one reads it.
take_turn() {
    exec 9>/run/lock/e2e-packages.lock
    flock -w "$1" 9 || refuse "another installation has not ended after $1 s"
}

found() {
    address=$(echo "${SSH_CONNECTION:-}" | awk '{print $3}')
    [ -n "$address" ] || address=$(ip -o addr show scope global | awk '{sub("/.*", "", $4); print $4; exit}')
    case $address in
    *:*) network=$address/64 ;;
    *) network=${address%.*}.0/24 ;;
    esac
    echo "version=$1"
    echo "network=$network"
    exit 0
}

newest() { sort -V | tail -n 1; }

available() {
    apt-cache search --names-only '^postgresql-[0-9]+$' | sed 's/^postgresql-\([0-9]*\) .*/\1/' | sort -V
}

offered() { available | grep -qx "$version"; }

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

install_packages() {
    left=$((deadline - $(date +%s)))
    [ "$left" -gt 0 ] || left=1
    output=$(apt-get -qq -y --no-install-recommends -o "DPkg::Lock::Timeout=$left" install "$@" 2>&1 </dev/null) ||
        refuse "installing $* failed: $(echo "$output" | grep -E '^(E|W):' | tail -n 3 | tr '\n' ' ')"
}

# The names in these folders are numbers.
# shellcheck disable=SC2012
if [ -z "$version" ]; then
    version=$(cd /etc/postgresql 2>/dev/null && ls -d -- */main 2>/dev/null | cut -d/ -f1 | newest) || true
fi
# shellcheck disable=SC2012
if [ -z "$version" ] && [ "$source" = distribution ]; then
    version=$(cd /usr/lib/postgresql 2>/dev/null && ls -d -- */bin/postgres 2>/dev/null | cut -d/ -f1 | newest) || true
fi
[ -z "$version" ] || [ ! -x "/usr/lib/postgresql/$version/bin/postgres" ] || found "$version"

if [ "$mode" = apply ]; then
    take_turn "$seconds"
    # Stopped until the next start of the node; a job of theirs that runs now is waited for.
    systemctl stop apt-daily.timer apt-daily-upgrade.timer 2>/dev/null || true
    update
fi
[ -n "$version" ] || version=$(available | newest)
if [ -z "$version" ] || ! offered; then
    others=$(available | tr '\n' ' ')
    refuse "PostgreSQL ${version:-(any)} is not available here; available: $(echo "${others:-nothing }" | sed 's/ $//; s/ /, /g')"
fi
if [ "$mode" = apply ]; then
    # Installed first, so that the server package does not create a cluster of its own making.
    install_packages postgresql-common
    mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/e2e.conf
    install_packages "postgresql-$version"
fi
echo "changed: installed PostgreSQL $version"
found "$version"
