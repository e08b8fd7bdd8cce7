"""One `ansible_runner.run` per playbook: the cold engine, and what the warm one shares with it.

What ansible-runner leaves to be done here: it polls cancel only when output arrives, so a watcher of our own ends
the processes by their token; it takes over signal handlers unless a cancel callback is given; its `command` file
holds the whole environment and is removed at once; an exception in an event handler would end it in the middle.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.event import Event
from e2e_ansible.engine.processes import TOKEN_VARIABLE, end_all
from e2e_ansible.engine.protocol import Cancel, Ended, Outcome, PlayRequest
from e2e_ansible.engine.wide import FOLDER_VARIABLE, Expansion

if TYPE_CHECKING:
    from e2e_ansible.engine.spawning import Spawner

__all__ = ["RunnerEngine", "runner_environment"]

_POLL_SECONDS = 0.1
_SETTINGS = {"pexpect_timeout": _POLL_SECONDS, "pexpect_use_poll": True, "suppress_ansible_output": True}


class RunnerEngine:
    """Runs each playbook in an ansible-playbook process of its own, or in what `spawner` starts."""

    name = "cold"

    def __init__(self, spawner: Spawner | None = None, folder: Path | None = None) -> None:
        """`folder` is for what ansible-runner writes while a playbook runs; without one, it is in the artifacts."""
        self._spawner = spawner
        self._folder = folder

    def run(self, request: PlayRequest, on_event: Callable[[Event], None], cancel: Cancel) -> Outcome:
        """Run one playbook; see `Engine.run`. ssh masters stay for the next step and carry the run's token."""
        return self._run(request, on_event, cancel).model_copy(update={"engine": self.name})

    def _run(self, request: PlayRequest, on_event: Callable[[Event], None], cancel: Cancel) -> Outcome:
        try:
            private = Path(tempfile.mkdtemp(prefix="runner-", dir=self._folder or request.artifacts))
            _prepare(private)
        except OSError as error:
            return Outcome(ended=Ended.ERROR, rc=None, message=f"no place for the files of the step: {error}")
        sink = _Sink(on_event, Expansion(request.artifacts))
        roots = self._spawner.roots if self._spawner else []
        watcher = _Watcher(request, cancel, roots)
        try:
            with watcher:
                runner = _run(request, private, sink, self._spawner)
            sink.finish()
        except Exception as error:
            end_all(request.token, roots=roots)  # nobody waits for them any more
            return Outcome(
                ended=Ended.ERROR, rc=None, message=f"ansible-runner: {type(error).__name__}: {error}"
            )
        finally:
            _keep_output(private, request.artifacts)
        if self._spawner and self._spawner.trouble:
            left = end_all(request.token, roots=roots)  # they are ending, and nobody waits for them any more
            also = f"; processes would not end: {left}" if left else ""
            return Outcome(ended=Ended.ERROR, rc=None, message=f"{self._spawner.trouble}{also}")
        return _outcome(runner, watcher, sink, request)


class _Sink:
    """Takes raw events; an error in a consumer is kept for the outcome and does not stop the playbook."""

    def __init__(self, on_event: Callable[[Event], None], expansion: Expansion) -> None:
        self._on_event = on_event
        self._expansion = expansion
        self.error: Exception | None = None
        self.count = 0

    def __call__(self, raw: Mapping[str, Any]) -> bool:
        self._take(self._expansion.events(raw))
        self.count += 1
        return False  # do not keep a file per event

    def finish(self) -> None:
        """Take what is known of a task that was cut off."""
        self._take(self._expansion.left())

    def _take(self, events: Iterator[Mapping[str, Any]]) -> None:
        try:
            for raw in events:
                self._on_event(Event.of(raw))
        except Exception as error:
            self.error = self.error or error


class _Watcher:
    """Ends the processes of a request at its deadline or when it is cancelled."""

    def __init__(self, request: PlayRequest, cancel: Cancel, roots: list[int]) -> None:
        self._request = request
        self._roots = roots
        self._cancel = cancel
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"watch {request.playbook}", daemon=True)
        self.ended: Ended | None = None
        self.trouble = ""

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        deadline = Deadline(self._request.deadline_seconds)
        while not self._done.wait(min(_POLL_SECONDS, max(deadline.remaining, 0.001))):
            if self._cancel.is_set or deadline.expired:
                self.ended = Ended.CANCELED if self._cancel.is_set else Ended.TIMEOUT
                self._end()
                return

    def _end(self) -> None:
        try:
            left = end_all(self._request.token, roots=self._roots)
        except Exception as error:  # told by the thread that waits
            self.trouble = f"its processes could not be ended: {error}"
        else:
            self.trouble = f"processes would not end: {left}" if left else ""


def _prepare(private: Path) -> None:
    shutil.rmtree(private, ignore_errors=True)
    (private / "env").mkdir(parents=True, mode=0o700)
    (private / "env" / "settings").write_text(json.dumps(_SETTINGS))


def _run(request: PlayRequest, private: Path, sink: _Sink, spawner: Spawner | None) -> Any:
    import ansible_runner

    from e2e_ansible.engine.spawning import spawning

    with spawning(spawner):
        return ansible_runner.run(
            private_data_dir=str(private),
            project_dir=str(request.project),
            ident="run",
            playbook=str(request.project / request.playbook),
            inventory=str(request.project / request.inventory),
            envvars=_environment(request.project, request.environment)
            | {TOKEN_VARIABLE: request.token, FOLDER_VARIABLE: str(request.artifacts.resolve())},
            verbosity=request.verbosity or None,
            limit=request.limit or None,
            quiet=True,
            suppress_env_files=True,
            event_handler=sink,
            status_handler=lambda status, runner_config: _forget_environment(private),
            cancel_callback=lambda: False,
        )


def runner_environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """The environment that ansible-runner would give to a playbook of a project; `folder` is for its own files."""
    from ansible_runner import RunnerConfig

    private = folder / "probe"
    _prepare(private)
    config = RunnerConfig(
        private_data_dir=str(private), playbook="none.yml", ident="run", envvars=_environment(folder, more)
    )
    config.prepare()
    return dict(config.env)


def _forget_environment(private: Path) -> None:
    """Called when ansible-playbook is about to start: a run that is killed later leaves no environment behind."""
    (private / "artifacts" / "run" / "command").unlink(missing_ok=True)


def _environment(project: Path, more: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "ANSIBLE_CONFIG": str(project / "ansible.cfg"),
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOST_KEY_CHECKING": "True",  # else ansible-runner sets it to False, above what the inventory says
        "PYTHONUNBUFFERED": "1",
        **more,
    }


def _keep_output(private: Path, artifacts: Path) -> None:
    """Append what Ansible printed to the step's own log, and drop the rest (it holds the environment)."""
    path = artifacts / "ansible.log"
    path.touch(mode=0o600)
    with path.open("ab") as log:
        for name in ("stdout", "stderr"):
            kept = private / "artifacts" / "run" / name
            if kept.exists():
                log.write(kept.read_bytes())
    shutil.rmtree(private, ignore_errors=True)


def _outcome(runner: Any, watcher: _Watcher, sink: _Sink, request: PlayRequest) -> Outcome:
    rc = runner.rc if isinstance(runner.rc, int) else None
    if watcher.trouble:
        return Outcome(ended=Ended.ERROR, rc=rc, message=watcher.trouble)
    if watcher.ended is Ended.TIMEOUT:
        return Outcome(ended=Ended.TIMEOUT, rc=rc, message=f"not done after {request.deadline_seconds:g} s")
    if watcher.ended is Ended.CANCELED:
        return Outcome(ended=Ended.CANCELED, rc=rc, message="interrupted")
    if sink.error is not None:
        return Outcome(ended=Ended.ERROR, rc=rc, message=f"an event could not be handled: {sink.error}")
    if rc is None or sink.count == 0:
        return Outcome(
            ended=Ended.ERROR, rc=rc, message="ansible-playbook gave no events; see the step's log"
        )
    return Outcome(ended=Ended.COMPLETED, rc=rc)
