"""Make Patroni run on this node with its present settings, and wait until the whole cluster is as it should be.

Reads JSON from standard input; prints what changed and who leads. It looks at what runs and not at what an earlier
task wrote, so that a run that was interrupted is made good by the next.
"""

import base64
import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

UNIT = "patroni.service"
CONFIGURATION = Path("/etc/patroni/config.yml")
LOADED = Path("/run/e2e-patroni.loaded")
LEADERS = ("leader", "master", "primary")
STANDBY_LEADER = "standby_leader"
FOLLOWED = "standby_cluster"
RUNNING = ("running", "streaming")


def say(line):
    """One line of the answer."""
    sys.stdout.write(line + "\n")


def refuse(text):
    """End with a sentence for the report."""
    say("refused: " + " ".join(text.split()))
    sys.exit(3)


def systemctl(*words):
    """Output of systemctl, whatever it thinks of it."""
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def complaint():
    """What Patroni or PostgreSQL said last that sounds like trouble."""
    command = ["journalctl", "-u", UNIT, "-n", "300", "-o", "cat", "--no-pager"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    words = ("ERROR", "CRITICAL", "FATAL", "PANIC", "Error")
    return next((line for line in reversed(said) if any(word in line for word in words)), "")


class Cluster:
    """What the members say over their REST API."""

    def __init__(self, wanted):
        """Keep what is wanted, and when the time is over."""
        self.wanted = wanted
        self.ends = time.monotonic() + wanted["seconds"]
        self.reconfigured = None

    def ask(self, path, name=None, method="GET", body=None, seconds=5):
        """The answer of one member; by default of this one. None when there is none."""
        address = self.wanted["addresses"][name or self.wanted["name"]]
        host = f"[{address}]" if ":" in address else address
        request = urllib.request.Request(f"http://{host}:{self.wanted['port']}/{path}", method=method)
        if body is not None:
            secret = base64.b64encode(f"patroni:{self.wanted['password']}".encode()).decode()
            request.add_header("Authorization", f"Basic {secret}")
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=seconds) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()  # a state that is not healthy has an answer all the same
        except OSError:
            return None

    def read(self, path, name=None):
        """What was answered as data; an empty dict when it is none."""
        try:
            found = json.loads(self.ask(path, name) or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def leader(self, members):
        """The name of the one leader, of a standby cluster too; None without one."""
        leaders = [member["name"] for member in members if member["role"] in (*LEADERS, STANDBY_LEADER)]
        return leaders[0] if len(leaders) == 1 else None

    def why_not(self):
        """The leader, and what is still missing ('' when nothing is)."""
        own = self.read("patroni")
        if not own:
            return None, "Patroni does not answer here"
        members = {member["name"]: member for member in self.read("cluster").get("members", [])}
        leader = self.leader(members.values())
        if leader is None:
            return None, "no leader"
        for name in self.wanted["addresses"]:
            state = members.get(name, {}).get("state", "missing")
            if state not in RUNNING:
                return leader, f"{name} is {state}"
        return leader, self.not_streaming(leader)

    def not_streaming(self, leader):
        """Which of the others do not stream from the leader, or are not in its list of synchronous ones."""
        if leader not in self.wanted["addresses"]:
            return f"the leader {leader} is not one of the members"
        rows = self.read("patroni", leader).get("replication") or []
        streaming = {row["application_name"] for row in rows if row.get("state") == "streaming"}
        away = sorted(set(self.wanted["addresses"]) - {leader} - streaming)
        if away:
            return f"{', '.join(away)} do not stream from {leader}"
        if self.follows(leader):
            return ""
        synchronous = [row for row in rows if row.get("sync_state") in ("sync", "quorum")]
        if (
            self.wanted["dynamic"].get("synchronous_mode")
            and len(self.wanted["addresses"]) > 1
            and not synchronous
        ):
            return "no replica is synchronous yet"
        return ""

    def follows(self, leader):
        """Whether the leader is a standby of another cluster, or is becoming one."""
        return self.read("patroni", leader).get("role") not in LEADERS

    def desired(self, there):
        """The wanted settings. Whom a cluster follows was decided when it began, or later by a switchover."""
        wanted = {key: value for key, value in self.wanted["dynamic"].items() if key != FOLLOWED}
        return {**wanted, FOLLOWED: there[FOLLOWED]} if there.get(FOLLOWED) else wanted

    def differs(self, there):
        """Whether the settings in etcd are others than the wanted ones."""
        return there != self.desired(there)

    def settled(self, leader):
        """What is missing in the settings; the leader writes them, then restarts before the others when it must."""
        patience = self.wanted["dynamic"]["loop_wait"] + 1  # a member reads the settings so often
        fresh = self.reconfigured is not None and time.monotonic() - self.reconfigured < patience
        there = self.read("config")
        if not there:
            return "Patroni does not tell the settings of the cluster"
        if self.differs(there):
            if leader == self.wanted["name"] and not fresh:
                say("changed: settings of the cluster")
                self.ask("config", method="PUT", body=self.desired(there))
            if not fresh:
                self.reconfigured = time.monotonic()
            return "the settings of the cluster are not those wanted"
        if fresh:
            return "the settings of the cluster are new"
        return self.restarted(leader)

    def restarted(self, leader):
        """What is missing because a setting needs a restart."""
        if leader != self.wanted["name"] and self.read("patroni", leader).get("pending_restart"):
            return f"the leader {leader} needs a restart for its settings"
        if self.read("patroni").get("pending_restart"):
            say("changed: restarted for its settings")
            self.ask("restart", method="POST", body={}, seconds=60)
            return "PostgreSQL needs a restart for its settings"
        return ""

    def wait(self):
        """Until nothing is missing; gives the leader."""
        while True:
            leader, missing = self.why_not()
            missing = missing or self.settled(leader)
            if not missing:
                return leader
            if time.monotonic() > self.ends:
                refuse(f"the cluster is not ready after {self.wanted['seconds']} s: {missing}. {complaint()}")
            time.sleep(0.3)

    def wait_for_first(self):
        """A node without data joins when the first one leads: so a fresh cluster begins with a known leader."""
        first = self.wanted["first"]
        if first == self.wanted["name"] or Path(self.wanted["data"], "PG_VERSION").exists():
            return
        while self.leader(self.read("cluster", first).get("members", [])) is None:
            if time.monotonic() > self.ends:
                refuse(f"{first} did not begin the cluster within {self.wanted['seconds']} s")
            time.sleep(0.3)


def tell_etcd(wanted, call, **fields):
    """The answer of the first member of etcd that gives one."""
    body = {name: base64.b64encode(text.encode()).decode() for name, text in fields.items()}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for host in wanted["etcd"]:
        try:
            with opener.open(f"http://{host}/v3/kv/{call}", json.dumps(body).encode(), timeout=5) as answer:
                return json.load(answer)
        except OSError:
            continue
    return refuse(f"none of {', '.join(wanted['etcd'])} answers for etcd")


def begin_as_standby(wanted):
    """A fresh cluster that follows another one is told so before it begins; one that has settings keeps them."""
    fresh = not Path(wanted["data"], "PG_VERSION").exists()
    if not wanted["dynamic"].get(FOLLOWED) or wanted["first"] != wanted["name"] or not fresh:
        return
    key = f"/service/{wanted['scope']}/config"
    if not tell_etcd(wanted, "range", key=key).get("count"):
        tell_etcd(wanted, "put", key=key, value=json.dumps(wanted["dynamic"]))


def is_stale():
    """Whether the settings file is younger than what Patroni has read."""
    began = systemctl("show", "--timestamp=us+utc", "-P", "ActiveEnterTimestamp", UNIT)
    seconds = subprocess.run(
        ["date", "-d", began, "+%s.%N"], capture_output=True, text=True, check=True
    ).stdout
    read = max(float(seconds), LOADED.stat().st_mtime if LOADED.exists() else 0)
    return CONFIGURATION.stat().st_mtime > read


def write(path, text, apply, owner="root", mode=0o644):
    """Make a file hold this text, as a whole or not at all; no other can read it before it has its mode."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    say(f"changed: wrote {path}")
    if not apply:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    draft.touch(0o600)
    draft.write_text(text, encoding="utf-8")
    shutil.chown(draft, owner, owner)
    draft.chmod(mode)
    draft.replace(path)


def configure(wanted):
    """Write the settings, and make the folder that will hold the data."""
    apply = wanted["mode"] == "apply"
    write(CONFIGURATION, wanted["settings"], apply, owner="postgres", mode=0o600)
    write(Path("/etc/systemd/system", UNIT + ".d", "e2e.conf"), wanted["unit"], apply)
    folder = Path(wanted["data"]).parent
    if apply and not folder.exists():
        folder.mkdir(0o755)
        shutil.chown(folder, "postgres", "postgres")


def start(wanted, cluster):
    """Enable, start or reload; in check mode only say so. Gives whether Patroni runs with its present settings."""
    apply = wanted["mode"] == "apply"
    if systemctl("is-enabled", UNIT) != "enabled":
        say("changed: enabled")
        if apply:
            systemctl("enable", "--quiet", UNIT)
    if systemctl("is-active", UNIT) not in ("active", "reloading"):
        say("changed: started")
        if not apply:
            return False
        cluster.wait_for_first()
        begin_as_standby(wanted)
        systemctl("daemon-reload")
        systemctl("reset-failed", UNIT)
        systemctl("start", UNIT)
    elif is_stale():
        say("changed: reloaded")
        if apply:
            systemctl("reload", UNIT)
            LOADED.touch()
    return True


def main():
    """Start, wait, report."""
    wanted = json.load(sys.stdin)
    for other in Path("/etc/postgresql").glob("*/main/postgresql.conf"):
        refuse(f"a cluster without Patroni is here: {other.parent}; remove it before")
    configure(wanted)
    cluster = Cluster(wanted)
    runs = start(wanted, cluster)
    if wanted["mode"] == "check":
        leader, missing = cluster.why_not() if runs else (None, "")
        if runs and not missing and cluster.differs(cluster.read("config")):
            say("changed: settings of the cluster")
    else:
        leader = cluster.wait()
    # A standby cluster has a leader too, which takes no writes.
    say(f"leader={'' if leader is None or cluster.follows(leader) else leader}")


main()
