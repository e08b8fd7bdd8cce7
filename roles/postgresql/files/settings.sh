#!/bin/sh
# settings.sh VERSION NAME=VALUE...: ask the server program itself, without a running server, whether it takes them.
set -eu
program=/usr/lib/postgresql/$1/bin/postgres
shift
# Not installed is possible only in check mode; there is nothing to ask then.
[ -x "$program" ] || exit 0
cd /
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
touch "$empty/postgresql.conf" "$empty/postgresql.auto.conf"
chown -R postgres "$empty"

near() {
    runuser -u postgres -- "$program" --describe-config | cut -f1 | python3 -c '
import difflib, sys
near = difflib.get_close_matches(sys.argv[1].lower(), sys.stdin.read().split(), 1)
print(f"; did you mean {near[0]}?" if near else "")' "$1"
}

ask() { LC_ALL=C runuser -u postgres -- "$program" -C port -D "$empty" "$@" 2>&1; }

# Asked for all at once first; which one is wrong matters only if one is.
taken_together() {
    for setting in "$@"; do
        shift
        set -- "$@" -c "$setting"
    done
    ask "$@" >/dev/null
}

refused=
refuse() { refused="$refused${refused:+; }$1"; }

taken=
! taken_together "$@" || taken=yes
for setting in "$@"; do
    name=${setting%%=*}
    case $name in
    "" | *[!A-Za-z0-9_.]*) refuse "\"$name\" is no name of a setting"; continue ;;
    port) refuse "set the port with postgresql_port"; continue ;;
    data_directory | config_file | hba_file | ident_file | external_pid_file | include*)
        refuse "$name belongs to the role"; continue ;;
    esac
    case $setting in
    *"
"*) refuse "the value of $name has more than one line"; continue ;;
    esac
    if [ -z "$taken" ] && ! answer=$(ask -c "$setting"); then
        case $answer in
        *"unrecognized configuration parameter"*) refuse "PostgreSQL has no setting $name$(near "$name")" ;;
        *) refuse "$(echo "$answer" | sed -n 's/.*FATAL: *//p' | tail -n 1)" ;;
        esac
    fi
done
[ -z "$refused" ] || { echo "refused: $refused"; exit 3; }
