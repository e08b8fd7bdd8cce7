"""What is said to a shell to collect packages with all that they need, and to hand them to a node."""

from __future__ import annotations

__all__ = ["COLLECT", "LOAD", "SOURCE_NAME", "STORE"]

STORE = "/var/cache/e2e-ansible/packages"
"""Folder on a node with one archive of packages for each entry of the cache."""

SOURCE_NAME = "e2e-loaded"
"""Name of the files for apt that make these archives known."""

#: collect SECONDS FOLDER PACKAGE...: into FOLDER, which is new, with a list of them. Run where they will be installed,
#: or in a tree just like it. In an address the sign for a colon in the name that apt gives to a file would be read as
#: a colon, so they get other names; `names` has both.
COLLECT = """\
set -eu
deadline=$(($(date +%s) + $1)) folder=$2
shift 2
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
fail() { echo "$1: $(echo "$2" | grep -E '^(E|W|Err)' | tail -n 3 | tr '\\n' ' ')" >&2; exit 1; }
until said=$(apt-get -qq -o APT::Update::Error-Mode=any update 2>&1 </dev/null); do
    case $said in
    *"Could not get lock"* | *"Unable to lock"*)
        [ "$(date +%s)" -lt "$deadline" ] || fail "the lists are locked" "$said"
        ;;
    *) fail "the package lists could not be renewed" "$said" ;;
    esac
    sleep 2
done
mkdir -p "$folder/partial"
said=$(apt-get -qq -y --no-install-recommends --download-only -o "Dir::Cache::archives=$folder/" \\
    -o DPkg::Lock::Timeout=300 install "$@" 2>&1 </dev/null) || fail "the packages could not be fetched" "$said"
cd "$folder"
rm -rf partial lock
: >Packages
: >names
for file in *.deb; do
    [ -e "$file" ] || continue
    name=$(echo "$file" | sed 's/_[0-9]*%3a/_/')
    [ "$name" = "$file" ] || mv "$file" "$name"
    echo "$name $file" >>names
    {
        dpkg-deb -f "$name"
        echo "Filename: ./$name"
        echo "Size: $(stat -c %s "$name")"
        echo "SHA256: $(sha256sum "$name" | cut -d ' ' -f 1)"
        echo
    } >>Packages
done
"""

#: load SECONDS STORE NAME TAR PACKAGE...: make them known to apt, and see that nothing else is needed. Where the same
#: version is known from another place as well, apt takes that place, unless it finds the file among those that it has
#: fetched.
LOAD = f"""\
set -eu
deadline=$(($(date +%s) + $1)) store=$2 name=$3 tar=$4
shift 4
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
umask 022
list=/etc/apt/sources.list.d/{SOURCE_NAME}-$name.list pin=/etc/apt/preferences.d/{SOURCE_NAME}
fetched=/var/cache/apt/archives draft=$store/.$name done=
undo() {{
    [ -z "$done" ] || return 0
    rm -rf "$draft" "${{store:?}}/$name" "$list"
    [ -n "$(ls "$store")" ] || rm -f "$pin"
}}
trap undo EXIT
fail() {{ echo "$1: $(echo "$2" | tail -n 3 | tr '\\n' ' ')" >&2; exit 1; }}
# Roles that install something at this moment read the lists.
exec 9>/run/lock/e2e-packages.lock
flock -w "$((deadline - $(date +%s)))" 9 || fail "another installation has not ended" ""
mkdir -p "$store" "$fetched"
rm -rf "$draft"
mkdir "$draft"
tar -C "$draft" -xf "$tar"
rm -rf "${{store:?}}/$name"
mv "$draft" "$store/$name"
while read -r file known; do
    ln -f "$store/$name/$file" "$fetched/$known" 2>/dev/null || cp -f "$store/$name/$file" "$fetched/$known"
done <"$store/$name/names"
echo "deb [trusted=yes] file:$store/$name ./" >"$list"
printf 'Package: *\\nPin: origin ""\\nPin-Priority: 995\\n' >"$pin"
# Another step may be installing something on this node.
until said=$(apt-get -qq -o "Dir::Etc::sourcelist=$list" -o Dir::Etc::sourceparts=/dev/null \\
    -o APT::Get::List-Cleanup=0 -o APT::Update::Error-Mode=any update 2>&1 </dev/null); do
    case $said in
    *"Could not get lock"* | *"Unable to lock"*)
        [ "$(date +%s)" -lt "$deadline" ] || fail "the lists are locked" "$said"
        ;;
    *) fail "apt does not take what was loaded" "$said" ;;
    esac
    sleep 1
done
said=$(apt-get -qq -y --no-install-recommends --print-uris install "$@" 2>&1 </dev/null) ||
    fail "$* cannot be installed with what was loaded" "$said"
more=$(echo "$said" | grep -v "^'file:" || true)
[ -z "$more" ] || fail "more is needed than was loaded" "$more"
done=yes
"""
