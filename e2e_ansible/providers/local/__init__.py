"""Provider `local`: systemd containers on a bridge, each an overlay over one cached Debian tree."""
