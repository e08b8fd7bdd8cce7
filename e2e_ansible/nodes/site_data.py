"""Removes the data of a member of a site, what etcd knows of the site, or makes both anew from a backup.

This runs on nodes.
"""

from __future__ import annotations

import json
import os
import subprocess
import time

from e2e_ansible.nodes.site_member import FOLLOWED, PAUSE_SECONDS, UNIT, Member, RefusedError, run, writes

TYPE_CHECKING = False  # the node need not import this
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Data"]


class Data:
    """The data of this member."""

    def __init__(self, member: Member) -> None:
        """Whose data it is."""
        self.member, self.given = member, member.given

    def reach(self) -> None:
        """Do what the state asks for.

        Raises:
            RefusedError: it may not be done, or not within the deadline.
        """
        self.member.said.append(getattr(self, self.given["state"])())

    def would_change(self) -> bool:
        """Whether there is anything to do; a restore always is."""
        return self.given["state"] in ("restored", "joined") or os.path.exists(self.member.data)  # noqa: PTH110

    def removed(self) -> str:
        """Stop Patroni for good, which stops the server, and remove the data.

        Raises:
            RefusedError: the server takes writes, or goes on to run.
        """
        member = self.member
        if writes(member.read("patroni")):
            raise RefusedError(f"{member.name} of {member.site} takes writes; demote {member.site} before")
        member.changed = self._unit("is-enabled") == "enabled" or self.would_change()
        run(["systemctl", "disable", "--quiet", UNIT])
        run(["systemctl", "stop", UNIT], seconds=member.left)
        while self._server_runs():
            if not member.left:
                raise RefusedError(f"Patroni on {member.name} is stopped, but PostgreSQL runs on")
            time.sleep(PAUSE_SECONDS)
        run(["rm", "-rf", member.data], seconds=member.left)
        return f"Patroni on {member.name} is {self._unit('is-active')} and {member.data} is gone"

    def _unit(self, verb: str) -> str:
        done = subprocess.run(["systemctl", verb, UNIT], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def _server_runs(self) -> bool:
        try:
            with open(f"{self.member.data}/postmaster.pid", encoding="utf-8") as file:  # noqa: PTH123
                return os.path.exists(f"/proc/{int(file.readline())}")  # noqa: PTH110
        except (OSError, ValueError):
            return False

    def forgotten(self) -> str:
        """Remove the cluster from etcd, so that it begins anew when it begins."""
        gone = self.member.etcd("del", "", "--prefix").strip()
        self.member.changed = gone != "0"
        return f"etcd has forgotten {self.member.site} ({gone} keys)"

    def restored(self) -> str:
        """Begin the cluster as a standby that is made of the backup; ends when it streams from the other site.

        Raises:
            RefusedError: there is no backup, or it cannot be restored, or does not catch up in time.
        """
        member = self.member
        label = self._newest()
        archive = f'pgbackrest --stanza={self.given["stanza"]} archive-get %f "%p"'
        self._write(restore_command=archive, create_replica_methods=["pgbackrest"])
        self.joined()
        while not self._streams():
            if not member.left:
                state = member.read("patroni").get("state") or "silent"
                raise RefusedError(
                    f"{member.name} is {state}, not streaming, after its restore: {member.trouble()}"
                )
            time.sleep(PAUSE_SECONDS * 4)
        # From now on it streams, and every look into the archive would only cost time.
        self._write()
        return f"{member.name} was restored from {label} and streams"

    def _newest(self) -> str:
        words = ["--stanza=" + self.given["stanza"], "--output=json", "--log-level-console=off", "info"]
        said = json.loads(run(["runuser", "-u", "postgres", "--", "pgbackrest", *words]))
        whole = [backup["label"] for entry in said for backup in entry["backup"] if not backup.get("error")]
        if not whole:
            raise RefusedError(f"there is no backup in the stanza {self.given['stanza']}; make one before")
        return str(whole[-1])

    def _write(self, **more: Any) -> None:
        """Give etcd the settings of the cluster, with which it begins; `more` is said of whom it follows."""
        wanted = dict(self.member.settings["bootstrap"]["dcs"])
        others = ",".join(self.given["others"].values())
        wanted[FOLLOWED] = {"host": others, "port": self.given["port"], **more}
        if more:
            words = (
                f"pgbackrest --stanza={self.given['stanza']} --type=standby --log-level-console=warn restore"
            )
            method = {"pgbackrest": {"command": words, "no_params": True}}
            wanted["postgresql"] = {**wanted["postgresql"], **method}
        self.member.etcd("put", "config", text=json.dumps(wanted))

    def joined(self) -> str:
        """Start Patroni; without data it gets them from the leader, the first member from the backup."""
        folder = os.path.dirname(self.member.data)  # noqa: PTH120
        run(["install", "-d", "-o", "postgres", "-g", "postgres", "-m", "755", folder])
        run(["systemctl", "enable", "--quiet", UNIT])
        run(["systemctl", "start", UNIT])
        self.member.changed = True
        return f"Patroni on {self.member.name} is started"

    def _streams(self) -> bool:
        if self.member.read("patroni").get("state") != "running":
            return False
        try:
            return self.member.query("select status from pg_stat_wal_receiver") == "streaming"
        except RefusedError:
            return False  # it is not up to answer yet
