# shellcheck shell=sh
# Arguments: machine id, boot id and start of process 1 as the guard saw them, then sysrq, panic or poweroff.
# Everything that can refuse comes first, in the foreground; the act is detached, so that ssh can still say goodbye.
if [ "$(cat /etc/machine-id)" != "$1" ] || [ "$(cat /proc/sys/kernel/random/boot_id)" != "$2" ]; then
  echo "refused: this is not the machine and boot that the guard saw" >&2
  exit 65
fi
started=$(sed 's/.*) //' /proc/1/stat | cut -d ' ' -f 20)
if [ "$started" != "$3" ]; then
  echo "refused: process 1 is not the one that the guard saw" >&2
  exit 65
fi
act=poweroff
if [ "$4" != poweroff ] && [ ! -e /run/systemd/container ] && [ ! -e /.dockerenv ] && [ ! -e /run/.containerenv ] &&
  ! systemd-detect-virt --container --quiet && [ -w /proc/sysrq-trigger ]; then
  act=$4
fi
if [ "$4" = panic ] && [ "$act" != panic ]; then
  echo "refused: this node has no kernel of its own that may panic" >&2
  exit 65
fi
if [ "$act" = sysrq ]; then
  setsid nohup sh -c 'sleep 0.3; echo 1 > /proc/sys/kernel/sysrq; echo b > /proc/sysrq-trigger' \
    > /dev/null 2>&1 < /dev/null &
elif [ "$act" = panic ]; then
  setsid nohup sh -c 'sleep 0.3; echo 10 > /proc/sys/kernel/panic; echo 1 > /proc/sys/kernel/sysrq
    echo c > /proc/sysrq-trigger' > /dev/null 2>&1 < /dev/null &
else
  setsid nohup sh -c 'sleep 0.3; poweroff -f -n' > /dev/null 2>&1 < /dev/null &
fi
echo "crash by $act"
