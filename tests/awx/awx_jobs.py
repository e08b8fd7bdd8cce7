"""Jobs of a server that answers as AWX does: ansible-runner on this checkout, and workflows by the rules of AWX."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner
import yaml
from awx_state import Object, Refused, State, moment

from e2e_ansible.engine.processes import TOKEN_VARIABLE, end_all

PROJECT = Path(__file__).resolve().parents[2]
_TERMINAL = ("successful", "failed", "error", "canceled")
_BAD = ("failed", "error", "canceled")
_SETTINGS = {"pexpect_timeout": 0.1, "pexpect_use_poll": True, "suppress_ansible_output": True}
_WATCH_SECONDS = 0.02
_NOT_BEGUN: Mapping[str, Any] = {"job": None, "do_not_run": False}


class Inert(str):
    """Text that Ansible must not take for a template; AWX marks all that was said at a launch."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(Inert, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text)))


def inert(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: inert(item) for key, item in value.items()}
    if isinstance(value, list):
        return [inert(item) for item in value]
    return Inert(value) if isinstance(value, str) else value


@dataclass
class Running:
    """A job that runs; `hold` keeps its events back, `gap` hides one of them until all are processed."""

    number: int
    stop: threading.Event = field(default_factory=threading.Event)
    timed_out: bool = False


class Runner:
    """Runs jobs, each in a thread, with processes that end with it."""

    def __init__(self, state: State, folder: Path) -> None:
        self._state = state
        self._folder = folder
        self._threads: list[threading.Thread] = []
        self._running: dict[tuple[str, int], Running] = {}
        self.events: dict[int, list[Object]] = {}
        self.launched: list[tuple[str, Object]] = []
        #: Jobs say that they have ended before their events are there, and these come in no order.
        self.late_events = False
        #: Events of jobs that are never told.
        self.lost_events = False
        #: What a job is told in place of being run: status and explanation.
        self.refuse_jobs: tuple[str, str] | None = None
        self.forgetful_launch = False
        self.environment: dict[str, str] = {}
        #: Seconds after which each job is over time, whatever it asks for.
        self.most_seconds = 1e6

    def close(self) -> None:
        for running in list(self._running.values()):
            running.stop.set()
        for thread in self._threads:  # a workflow that ends may have begun another one before
            thread.join()

    # ---- starting

    def launch(self, kind: str, number: int, asked: Mapping[str, Any]) -> Object:
        template = self._state.get(kind, number)
        variables = asked.get("extra_vars") or {}
        variables = json.loads(variables) if isinstance(variables, str) else dict(variables)
        taken, ignored = self._accepted(template, {**asked, "extra_vars": variables})
        needed = self._state.launch_needs(kind, number)["variables_needed_to_start"]
        missing = [name for name in needed if name not in taken["extra_vars"]]
        if missing:
            raise Refused(400, {"variables_needed_to_start": [f"'{name}' value missing" for name in missing]})
        self.launched.append((template["name"], taken))
        start = self._start_job if kind == "job_templates" else self._start_workflow
        return {**start(template, taken), "ignored_fields": ignored}

    def _accepted(self, template: Object, asked: Mapping[str, Any]) -> tuple[Object, Object]:
        """What a launch may say by the prompts and the survey of the template, and what is ignored."""
        taken: Object = {"extra_vars": {}}
        ignored: Object = {}
        questions = self._state.questions(template)
        for name, value in asked["extra_vars"].items():
            if (template["ask_variables_on_launch"] or name in questions) and not self.forgetful_launch:
                taken["extra_vars"][name] = value
            else:
                ignored.setdefault("extra_vars", {})[name] = value
        for name in ("limit", "timeout"):
            if asked.get(name):
                (taken if template.get(f"ask_{name}_on_launch") else ignored)[name] = asked[name]
        for name, question in questions.items():
            if question.get("default") not in ("", None):
                taken["extra_vars"].setdefault(name, question["default"])
        return taken, ignored

    def _start_job(self, template: Object, taken: Mapping[str, Any]) -> Object:
        own = yaml.safe_load(template["extra_vars"] or "") or {}
        job = self._state.create(
            "jobs",
            {
                **self._common(template),
                "playbook": template["playbook"],
                "job_template": template["id"],
                "limit": taken.get("limit") or template["limit"],
                "timeout": taken.get("timeout") or template["timeout"],
                "extra_vars": json.dumps({**own, **taken["extra_vars"]}),
                "event_processing_finished": False,
                "job_explanation": "",
                "result_traceback": "",
                "artifacts": {},
            },
        )
        self.events[job["id"]] = []
        given = inert(taken["extra_vars"])
        self._spawn("jobs", job, lambda running: self._run(template, job, {**own, **given}, running))
        return job

    def _start_workflow(self, template: Object, taken: Mapping[str, Any]) -> Object:
        own = yaml.safe_load(template["extra_vars"] or "") or {}
        job = self._state.create(
            "workflow_jobs",
            {**self._common(template), "extra_vars": json.dumps({**own, **taken["extra_vars"]})},
        )
        copied = [
            {**json.loads(json.dumps(node)), **_NOT_BEGUN, "ancestor_artifacts": {}, "summary_fields": {}}
            for node in self._state.related("workflow_job_templates", template["id"], "workflow_nodes")
        ]
        self._state.job_nodes[job["id"]] = copied
        variables = {**own, **taken["extra_vars"]}
        self._spawn("workflow_jobs", job, lambda running: self._go_through(job, copied, variables, running))
        return job

    def _common(self, template: Object) -> Object:
        return {
            "name": template["name"],
            "status": "pending",
            "started": None,
            "finished": None,
            "elapsed": 0.0,
            "failed": False,
            "unified_job_template": template["id"],
        }

    def _spawn(self, kind: str, job: Object, act: Any) -> None:
        running = Running(job["id"])
        self._running[kind, job["id"]] = running
        thread = threading.Thread(target=act, args=(running,), name=f"{kind} {job['id']}")
        self._threads.append(thread)
        thread.start()

    def cancel(self, kind: str, number: int) -> None:
        job = self._state.get(kind, number)
        if job["status"] in _TERMINAL:
            raise Refused(405, {"detail": 'Method "POST" not allowed.'})
        self._running[kind, number].stop.set()

    # ---- one job

    def _run(self, template: Object, job: Object, variables: Object, running: Running) -> None:
        private = Path(tempfile.mkdtemp(prefix="awx-", dir="/tmp"))
        token = f"awx-{os.getpid()}-{id(self)}-{job['id']}"
        job.update(status="running", started=moment())
        try:
            if self.refuse_jobs:
                job.update(status="error")
                self._end(job, *self.refuse_jobs)
                return
            inventory = self._inventory(template, private)
            runner = self._play(template, job, variables, inventory, private, token, running)
            self._ended(job, runner, running)
        except Exception as error:
            self._end(job, "error", f"{type(error).__name__}: {error}")
            raise
        finally:
            end_all(token)
            shutil.rmtree(private, ignore_errors=True)

    def _play(
        self,
        template: Object,
        job: Object,
        variables: Object,
        inventory: Path,
        private: Path,
        token: str,
        running: Running,
    ) -> Any:
        (private / "env").mkdir()
        (private / "env" / "settings").write_text(json.dumps(_SETTINGS))
        (private / "cp").mkdir(mode=0o700)
        (private / "vars.yml").write_text(yaml.dump(variables, Dumper=_Dumper, allow_unicode=True))
        timer = threading.Timer(min(job["timeout"] or 1e6, self.most_seconds), self._time_out, (running,))
        timer.daemon = True
        timer.start()
        watcher = threading.Thread(target=self._end_processes, args=(running, token), daemon=True)
        watcher.start()
        try:
            return ansible_runner.run(
                private_data_dir=str(private),
                project_dir=str(PROJECT),
                playbook=template["playbook"],
                inventory=str(inventory),
                cmdline=f"-e @{private}/vars.yml",
                limit=job["limit"] or None,
                envvars=self._variables(private, token),
                quiet=True,
                suppress_env_files=True,
                event_handler=lambda raw: self._keep(job, raw),
                cancel_callback=lambda: False,
            )
        finally:
            timer.cancel()
            self._running.pop(("jobs", job["id"]), None)
            watcher.join(0 if not running.stop.is_set() else 30)

    def _end_processes(self, running: Running, token: str) -> None:
        while ("jobs", running.number) in self._running:
            if running.stop.wait(_WATCH_SECONDS):
                end_all(token)
                return

    @staticmethod
    def _time_out(running: Running) -> None:
        running.timed_out = True
        running.stop.set()

    def _variables(self, private: Path, token: str) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT),
            "HOME": str(private),
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "ANSIBLE_HOME": str(private / "ansible"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(private / "cp"),
            "ANSIBLE_NOCOLOR": "1",
            TOKEN_VARIABLE: token,
            **self.environment,
        }

    def _inventory(self, template: Object, private: Path) -> Path:
        """A frozen script, as AWX gives it to a job, after the sources that are updated on launch."""
        found: Object = {"_meta": {"hostvars": {}}}
        for source in self._state.each("inventory_sources"):
            if source["inventory"] == template["inventory"] and source["update_on_launch"]:
                found = self._listed(source, private)
        script = private / "hosts"
        script.write_text(f"#!{sys.executable}\nprint({json.dumps(found)!r})\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return script

    def _listed(self, source: Object, private: Path) -> Object:
        variables = yaml.safe_load(source["source_vars"] or "") or {}
        path = str(Path(sys.executable).with_name("ansible-inventory"))
        done = subprocess.run(
            [path, "-i", str(PROJECT / source["source_path"]), "--list", "--export"],
            cwd=PROJECT,
            env={
                **os.environ,
                **self._variables(private, f"awx-inventory-{id(self)}"),
                **{key: str(value) for key, value in variables.items()},
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode != 0:
            raise RuntimeError(f"the inventory source failed: {done.stderr}")
        return dict(json.loads(done.stdout))

    def _keep(self, job: Object, raw: Mapping[str, Any]) -> bool:
        """An event in the form of AWX; its number tells nothing of its place."""
        data = raw.get("event_data", {})
        event = {
            "id": 100_000 - raw["counter"],
            "type": "job_event",
            "url": f"{self._state.prefix}job_events/{100_000 - raw['counter']}/",
            "related": {"job": f"{self._state.prefix}jobs/{job['id']}/"},
            "summary_fields": {"job": {"id": job["id"], "type": "job"}},
            "created": str(raw["created"]).replace("+00:00", "Z"),
            "modified": moment(),
            "job": job["id"],
            "event": raw["event"],
            "counter": raw["counter"],
            "event_display": raw["event"],
            "event_data": data,
            "event_level": 0,
            "failed": "failed" in raw["event"],
            "changed": bool(isinstance(data.get("res"), Mapping) and data["res"].get("changed")),
            "uuid": raw["uuid"],
            "parent_uuid": raw.get("parent_uuid") or "",
            "host": None,
            "host_name": data.get("host") or "",
            "playbook": data.get("playbook", ""),
            "play": data.get("play", ""),
            "task": data.get("task", ""),
            "role": data.get("role", ""),
            "stdout": raw.get("stdout", ""),
            "start_line": raw.get("start_line", 0),
            "end_line": raw.get("end_line", 0),
            "verbosity": raw.get("verbosity", 0),
        }
        with self._state.lock:
            self.events[job["id"]].append(json.loads(json.dumps(event, default=str)))
            if raw["event"] == "playbook_on_stats":
                job["artifacts"] = json.loads(json.dumps(data.get("artifact_data") or {}))
        return False

    def _ended(self, job: Object, runner: Any, running: Running) -> None:
        if running.timed_out:
            self._end(job, "failed", "Job terminated due to timeout")
        elif running.stop.is_set():
            self._end(job, "canceled", "")
        else:
            self._end(job, "successful" if runner.rc == 0 else "failed", "")

    def _end(self, job: Object, status: str, explanation: str) -> None:
        with self._state.lock:
            job.update(status=status, finished=moment(), job_explanation=explanation, failed=status in _BAD)
            job["event_processing_finished"] = not self.late_events

    def visible_events(self, number: int) -> list[Object]:
        """What can be seen: all of it, or while events are late only every third, until they are processed."""
        self._state.get("jobs", number)
        job, events = self._state.get("jobs", number), self.events[number]
        if self.lost_events:
            return []
        if not self.late_events or job["event_processing_finished"]:
            return list(events)
        if job["status"] in _TERMINAL:
            job["event_processing_finished"] = True
        return [event for event in events if event["counter"] % 3 != 2]

    # ---- workflows

    def _go_through(self, job: Object, nodes: list[Object], variables: Object, running: Running) -> None:
        """Start what may start, until nothing runs and nothing is left to start."""
        job.update(status="running", started=moment())
        while True:
            with self._state.lock:
                if running.stop.is_set():
                    self._stop(nodes)
                busy = self._advance(nodes, variables, stopped=running.stop.is_set())
                if not busy:
                    status = "canceled" if running.stop.is_set() else self._status(nodes)
                    job.update(status=status, finished=moment(), failed=status != "successful")
                    return
            threading.Event().wait(_WATCH_SECONDS)

    def _stop(self, nodes: list[Object]) -> None:
        for node in nodes:
            if node["job"] is not None:
                with contextlib.suppress(Refused, KeyError):
                    self.cancel(self._kind(node), node["job"])

    def _advance(self, nodes: list[Object], variables: Object, *, stopped: bool) -> bool:
        """One look at the graph; whether there is still something to wait for."""
        busy = False
        for node in nodes:
            if node["job"] is not None:
                busy = busy or self._job_status(node) not in _TERMINAL
                continue
            if node["do_not_run"] or stopped:
                continue
            parents = [(other, kind) for other in nodes for kind in _kinds(other, node["id"])]
            if node["all_parents_must_converge"] and self._cannot_converge(parents):
                node["do_not_run"] = True  # without a look at those that still run
                busy = True
                continue
            if any(self._unsettled(parent) for parent, _ in parents):
                busy = True
                continue
            if parents and not any(self._satisfied(parent, kind) for parent, kind in parents):
                node["do_not_run"] = True
                busy = True
                continue
            self._start_node(node, nodes, variables)
            busy = True
        return busy

    def _kind(self, node: Object) -> str:
        """A node is a job, or a workflow in the workflow."""
        nested = node.get("unified_job_template") in self._state.objects["workflow_job_templates"]
        return "workflow_jobs" if nested else "jobs"

    def _job_status(self, node: Object) -> str:
        return str(self._state.get(self._kind(node), node["job"])["status"])

    def _unsettled(self, node: Object) -> bool:
        if node["do_not_run"]:
            return False
        return node["job"] is None or self._job_status(node) not in _TERMINAL

    def _cannot_converge(self, parents: list[tuple[Object, str]]) -> bool:
        """By the rule of AWX: some parent is left out, or ended in a way that does not lead here.

        It asks only parents that were successful or have failed; one that was canceled or could not be run does not
        keep the node from running.
        """
        for parent in {each["id"]: each for each, _ in parents}.values():
            if parent["do_not_run"]:
                return True
            if parent["job"] is None or self._job_status(parent) not in ("successful", "failed"):
                continue
            if not any(self._satisfied(other, kind) for other, kind in parents if other is parent):
                return True
        return False

    def _satisfied(self, parent: Object, kind: str) -> bool:
        if parent["do_not_run"]:
            return False
        good = self._job_status(parent) == "successful"
        return kind == "always_nodes" or good == (kind == "success_nodes")

    def _start_node(self, node: Object, nodes: list[Object], variables: Object) -> None:
        """What a job gets, the later over the earlier: what its node says, artifacts, variables of the workflow.

        A workflow in the workflow gets the artifacts over all. Only what the node says has to be prompted for.
        """
        kind = self._kind(node)
        nested = kind == "workflow_jobs"
        template = self._state.get(
            "workflow_job_templates" if nested else "job_templates", node["unified_job_template"]
        )
        said = {**node["extra_data"], **(variables if nested else {})}
        taken, _ = self._accepted(template, {"extra_vars": said, "timeout": node["timeout"]})
        taken["extra_vars"] |= self._artifacts(node, nodes) | ({} if nested else variables)
        begin = self._start_workflow if nested else self._start_job
        started = begin(template, taken)
        node["job"] = started["id"]
        node["summary_fields"] = {"job": {"id": started["id"], "type": started["type"], "status": "pending"}}

    def _artifacts(self, node: Object, nodes: list[Object]) -> Object:
        """By `WorkflowJobNode.get_job_kwargs`: parent after parent, what it was given itself and then what it gave.

        So what one parent was given takes back what another one, of a lower number, gave under the same name.
        """
        found: Object = {}
        parents = [other for other in nodes if _kinds(other, node["id"])]
        for parent in sorted(parents, key=lambda each: int(each["id"])):
            found.update(parent["ancestor_artifacts"])
            if parent["job"] is not None:
                found.update(self._given(self._kind(parent), parent["job"]))
        node["ancestor_artifacts"] = found
        return dict(found)

    def _given(self, kind: str, number: int) -> Object:
        """The artifacts of a job; of a workflow those of its jobs, in the order in which they ended."""
        job = self._state.get(kind, number)
        if kind == "jobs":
            return dict(job["artifacts"])
        inner = [node for node in self._state.job_nodes[number] if node["job"] is not None]
        inner = [node for node in inner if self._job_status(node) in ("successful", "failed")]
        ended = {node["id"]: self._state.get(self._kind(node), node["job"])["finished"] for node in inner}
        found: Object = {}
        for node in sorted(inner, key=lambda each: (ended[each["id"]], each["job"])):
            found.update(self._given(self._kind(node), node["job"]))
        return found

    def _status(self, nodes: list[Object]) -> str:
        """Failed if a job failed and nothing was to be done about it."""
        for node in nodes:
            handled = node["failure_nodes"] or node["always_nodes"]
            if node["job"] is not None and self._job_status(node) in _BAD and not handled:
                return "failed"
        return "successful"


def _kinds(parent: Object, child: int) -> list[str]:
    return [kind for kind in ("success_nodes", "failure_nodes", "always_nodes") if child in parent[kind]]
