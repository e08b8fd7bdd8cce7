#!/bin/sh
# cluster.sh MODE VERSION PORT KIND sync|no-sync: make the cluster `main` be there; for a replica only its configuration.
set -eu
mode=$1 version=$2 port=$3 kind=$4 disk=$5
configuration=/etc/postgresql/$version/main
data=/var/lib/postgresql/$version/main
unfinished=/var/lib/postgresql/$version-main.unfinished
export LC_ALL=C.UTF-8

refuse() { echo "refused: $*"; exit 3; }

for other in /etc/postgresql/*/main/postgresql.conf; do
    [ ! -e "$other" ] || [ "$other" = "$configuration/postgresql.conf" ] ||
        refuse "another cluster is here: ${other%/postgresql.conf}; remove it before version $version is used"
done
create() {
    if [ -e "$unfinished" ]; then
        rm -rf "$configuration" "$data"
    elif [ -e "$data/PG_VERSION" ]; then
        refuse "$data holds data but $configuration is missing"
    fi
    touch "$unfinished"
    sync=
    [ "$kind $disk" = "primary sync" ] || sync=--no-sync
    # shellcheck disable=SC2086  # an empty $sync is no argument
    output=$(pg_createcluster --start-conf=auto --port="$port" "$version" main -- --data-checksums $sync 2>&1 </dev/null) ||
        refuse "pg_createcluster: $(echo "$output" | tail -n 4 | tr '\n' ' ')"
    [ "$kind" = primary ] || find "$data" -mindepth 1 -delete
}

# Debian's own createcluster.conf asks for this; one that an administrator wrote may not.
include_folder() {
    install -d -o postgres -g postgres "$configuration/conf.d"
    grep -q "^include_dir *=* *'conf.d'" "$configuration/postgresql.conf" ||
        echo "include_dir = 'conf.d'" >>"$configuration/postgresql.conf"
}

if [ ! -e "$configuration/postgresql.conf" ] || [ -e "$unfinished" ]; then
    echo "changed: created cluster $version/main"
    [ "$mode" = apply ] || exit 0
    create
    include_folder
    rm "$unfinished"
elif [ ! -d "$configuration/conf.d" ] || ! grep -q "^include_dir *=* *'conf.d'" "$configuration/postgresql.conf"; then
    echo "changed: included conf.d"
    [ "$mode" = check ] || include_folder
fi
