#!/bin/sh
# Takes what the controller put on the seed disk. At each boot; what is there already is left alone.
set -eu
for disk in /sys/block/vd*; do
  [ "$(cat "$disk/serial")" = e2e-seed ] && seed=/dev/${disk##*/}
done
[ -n "${seed:-}" ] || exit 0
mkdir -p /run/e2e-seed
mount -t iso9660 -o ro "$seed" /run/e2e-seed
trap 'umount /run/e2e-seed' EXIT
hostname=$(cat /run/e2e-seed/hostname)
user=$(cat /run/e2e-seed/user)

[ -e /etc/hostname ] || echo "$hostname" >/etc/hostname
grep -q "^127.0.1.1 " /etc/hosts 2>/dev/null || echo "127.0.1.1 $hostname" >>/etc/hosts
hostname "$hostname"
if ! id "$user" >/dev/null 2>&1; then
  useradd --create-home --shell /bin/bash "$user"
  echo "$user ALL=(ALL) NOPASSWD:ALL" >"/etc/sudoers.d/e2e-$user"
fi
home=$(getent passwd "$user" | cut -d: -f6)
if [ ! -s "$home/.ssh/authorized_keys" ]; then
  install -d -m 700 -o "$user" "$home/.ssh"
  install -m 600 -o "$user" /run/e2e-seed/authorized_keys "$home/.ssh/authorized_keys"
fi
# Others would take an emulated processor half a minute.
[ -s /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
# A machine that is cut off the power at once would else come back without them.
sync
