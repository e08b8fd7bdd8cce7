"""Gives a site its part by one of its members: it takes writes, follows the other site, or does neither.

This runs on nodes, on every member at once: whichever leads does what is to be done, and all see how it ends.
"""

from __future__ import annotations

import re
import time

from e2e_ansible.nodes.site_member import (
    FOLLOWED,
    PAUSE_SECONDS,
    Member,
    RefusedError,
    position,
    replayed,
    shown,
    writes,
)

TYPE_CHECKING = False  # the node need not import this
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Switch"]

#: A standby cluster must be told of something to follow; this gives it nothing.
NOBODY = {"restore_command": "/bin/false"}
_RECOVERY = """
select pg_is_in_recovery(), coalesce((select status from pg_stat_wal_receiver), 'absent'),
    greatest((select received_tli from pg_stat_wal_receiver), (select timeline_id from pg_control_checkpoint()))
"""


class Switch:
    """This member on the way to the state that was asked for."""

    def __init__(self, member: Member) -> None:
        """Whose part it is."""
        self.member, self.given = member, member.given
        self.state = str(member.given["state"])
        self.other = str(member.given["other_site"])

    def reach(self) -> None:
        """Do what is to be done until nothing is missing.

        Raises:
            RefusedError: it may not be done, or not within the deadline.
        """
        missing = self.primary if self.state == "primary" else self.standby
        while True:
            why = missing()
            if not why:
                return
            if not self.member.left:
                raise RefusedError(f"{self.member.site} is not {self.state} in time: {why}")
            time.sleep(PAUSE_SECONDS)

    def would_change(self) -> bool:
        """Whether there is anything to do.

        Raises:
            RefusedError: Patroni does not answer.
        """
        own, there, why = self._look()
        if why:
            raise RefusedError(why)
        follows = there.get(FOLLOWED) if self.state == "primary" else there.get(FOLLOWED) != self._follows()
        return bool(follows or there.get("pause") or (self.state != "primary" and writes(own)))

    def _look(self) -> tuple[dict[str, Any], dict[str, Any], str]:
        """What this member says of itself, the settings of the cluster, and why one of them is not known."""
        own, there = self.member.read("patroni"), self.member.read("config")
        return own, there, "" if own and there else f"Patroni on {self.member.name} does not answer"

    def _leads(self) -> bool:
        """Whether this member is the one that acts: the leader; without one the first that is named."""
        members = self.member.read("cluster").get("members") or []
        leaders = [member["name"] for member in members if "leader" in str(member.get("role"))]
        return self.member.name == next(iter([*leaders, *self.given["members"]]), self.member.name)

    def _follows(self) -> dict[str, Any]:
        if self.state == "fenced":
            return dict(NOBODY)
        return {"host": ",".join(self.given["others"].values()), "port": self.given["port"]}

    def _change(self, there: dict[str, Any], wanted: dict[str, Any] | None, **more: Any) -> None:
        """Write whom the cluster follows; nothing that was said of it before stays."""
        gone = dict.fromkeys(there.get(FOLLOWED) or {})
        self.member.patch({FOLLOWED: None if wanted is None else {**gone, **wanted}, **more})

    # ---- to follow, or to do nothing

    def standby(self) -> str:
        """What is missing for the site to take no writes and to follow whom it should; '' when nothing is."""
        own, there, why = self._look()
        if why:
            return why
        leads = self._leads()
        if writes(own) and leads:
            self._step_down(there)
            return f"{self.member.name} was stopped and is not back"
        if there.get(FOLLOWED) != self._follows() or there.get("pause"):
            if leads:
                self._change(there, self._follows(), pause=None)
            return "the settings of the cluster are not those wanted"
        if own.get("state") != "running" or own.get("role") != ("standby_leader" if leads else "replica"):
            return f"{self.member.name} is {own.get('role')} and {own.get('state')}"
        return self._not_in_recovery(own, leads=leads)

    def _not_in_recovery(self, own: dict[str, Any], *, leads: bool) -> str:
        recovering, state, timeline = self.member.query(_RECOVERY).split("|")
        name = self.member.name
        if recovering != "t":
            return f"PostgreSQL on {name} is not in recovery"
        if self.state == "fenced" and leads and state != "absent":
            return f"{name} still receives WAL"
        if self.state == "standby" and state != "streaming":
            return f"the receiver of {name} is {state}, not streaming; {self.member.trouble()}"
        self.member.said.append(f"{name} is {own['role']} in recovery on timeline {timeline}")
        return ""

    def _step_down(self, there: dict[str, Any]) -> None:
        """Stop the server that takes writes; it comes back in recovery.

        Patroni 3.0 by itself would end it at once, without archiving what was not archived yet and without handing
        the rest to its replicas. So it is told to wait meanwhile.
        """
        heirs = self._heirs()
        self._change(there, self._follows(), pause=True)
        try:
            end = self._stop()
        except RefusedError:
            self._change({FOLLOWED: self._follows()}, there.get(FOLLOWED), pause=None)
            raise
        self.member.patch({"pause": None})
        self.member.said.append(f"{self.member.name} was stopped cleanly at {shown(end)}")
        if heirs:
            self._await_replayed(end)

    def _heirs(self) -> list[str]:
        """Who has the rows when this server is stopped; nobody is asked when the site is only fenced.

        Raises:
            RefusedError: nobody has them, and nothing was changed.
        """
        told = self.member.others() if self.state == "standby" else {}
        ready = [name for name, said in told.items() if replayed(said) and not writes(said)]
        if ready or not told or any(map(writes, told.values())):
            return ready  # where both sites take writes, what only this one has is not to be kept
        states = ", ".join(f"{name} {said.get('state', 'does not answer')}" for name, said in told.items())
        goes_on = f"{self.member.name} goes on to take writes"
        raise RefusedError(f"nobody in {self.other} could take over ({states}); {goes_on}")

    def _stop(self) -> int:
        """Stop the server cleanly when Patroni will leave it alone; gives where its WAL ends."""
        member = self.member
        while not member.read("patroni").get("pause"):
            if not member.left:
                raise RefusedError(f"Patroni on {member.name} does not pause")
            time.sleep(PAUSE_SECONDS)
        member.query("checkpoint", member.left)
        wait = str(int(max(1.0, member.left)))
        words = ("stop", "-D", member.data, "-m", "fast", "-w", "-t", wait, "-s")
        member.server("pg_ctl", *words, seconds=member.left + 5)
        return self._end()

    def _end(self) -> int:
        """Where the WAL of a server that was stopped ends: at the checkpoint of its shutdown."""
        told = self.member.server("pg_controldata", "-D", self.member.data)
        state = re.search(r"^Database cluster state:\s*(.*)$", told, re.M)
        place = re.search(r"^Latest checkpoint location:\s*(\S+)$", told, re.M)
        if not state or not place or not state[1].startswith("shut down"):
            found = state[1] if state else "not known"
            raise RefusedError(f"PostgreSQL on {self.member.name} was not stopped cleanly but is {found}")
        return position(place[1])

    def _await_replayed(self, end: int) -> None:
        while True:
            reached = {name: replayed(told) for name, told in self.member.others().items()}
            farthest = max(reached, key=reached.__getitem__)
            if reached[farthest] > end:
                self.member.said.append(f"{farthest} has replayed all of it, to {shown(reached[farthest])}")
                return
            if not self.member.left:
                stopped = f"{self.member.name} stopped at {shown(end)}"
                got = f"{self.other} has replayed WAL to {shown(reached[farthest])} only"
                raise RefusedError(f"{got}, and {stopped}")
            time.sleep(PAUSE_SECONDS)

    # ---- to take writes

    def primary(self) -> str:
        """What is missing for the site to take writes; '' when nothing is."""
        own, there, why = self._look()
        if why:
            return why
        leads = self._leads()
        if there.get(FOLLOWED) or there.get("pause"):
            missing = "" if self.given["force"] or not leads else self._other_has_more(own)
            if leads and not missing:
                self._change(there, None, pause=None)
            return missing or f"{self.member.name} is not promoted yet"
        if own.get("state") != "running":
            return f"PostgreSQL on {self.member.name} is {own.get('state')}"
        return self._not_writing(own) if leads else self._not_replica(own)

    def _other_has_more(self, own: dict[str, Any]) -> str:
        """What the other site has that this one lacks.

        Raises:
            RefusedError: the other site takes writes, or somebody there cannot be asked.
        """
        told = self.member.others()
        writers = [name for name, said in told.items() if writes(said)]
        if writers:
            raise RefusedError(
                f"{', '.join(writers)} of {self.other} takes writes; demote {self.other} before"
            )
        silent = [name for name, said in told.items() if not said]
        if silent:
            may = "does not answer, so it may take writes; with force it is not asked"
            raise RefusedError(f"{', '.join(silent)} of {self.other} {may}")
        there = max(map(replayed, told.values()), default=0)
        if there > replayed(own):
            got = f"{self.member.name} only to {shown(replayed(own))}"
            return f"{self.other} has WAL to {shown(there)}, {got}"
        return ""

    def _not_replica(self, own: dict[str, Any]) -> str:
        name = self.member.name
        if own.get("role") != "replica":
            return f"{name} is {own.get('role')} and does not lead"
        self.member.said.append(f"{name} is a replica")
        return ""

    def _not_writing(self, own: dict[str, Any]) -> str:
        name = self.member.name
        if not writes(own) or self.member.query("select pg_is_in_recovery()") != "f":
            return f"{name} is {own.get('role')} and not promoted yet"
        try:
            end = self.member.query("select pg_logical_emit_message(true, 'e2e', 'switched')")
        except RefusedError as error:
            return f"{name} takes no writes: {error}"
        self.member.said.append(f"{name} leads on timeline {own.get('timeline')} and committed at {end}")
        return ""
