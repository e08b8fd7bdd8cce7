# shellcheck shell=sh
# Argument: the machine id that the guard saw.
if [ "$(cat /etc/machine-id)" != "$1" ]; then
  echo "refused: this is not the machine that the guard saw" >&2
  exit 65
fi
setsid nohup sh -c 'sleep 0.3; systemctl reboot' > /dev/null 2>&1 < /dev/null &
