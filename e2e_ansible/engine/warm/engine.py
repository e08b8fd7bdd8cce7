"""The warm engine: the same ansible-runner call as the cold one, with a forked child in place of a new process.

Any doubt before the fork takes the cold way, and says why in the outcome; after the fork nothing is run twice. What
could differ is compared first: the configuration file, and every variable that Ansible, ansible-runner or Python
read when they are imported.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pexpect

from e2e_ansible.engine.event import Event
from e2e_ansible.engine.protocol import Cancel, Outcome, PlayRequest
from e2e_ansible.engine.runner import RunnerEngine, runner_environment
from e2e_ansible.engine.warm.link import WarmParent
from e2e_ansible.engine.warm.orphans import MEMORY, PREFIX, remove_orphans
from e2e_ansible.engine.warm.spawn import WarmSpawn
from e2e_ansible.errors import HarnessError

__all__ = ["WarmEngine", "fingerprint"]

_BOOT_SECONDS = 15
_CONFIG = "ansible.cfg"
_ENOUGH_BYTES = 512 * 2**20
_READ_AT_IMPORT = (
    "ANSIBLE_",
    "PYTHON",
    "RUNNER_",
    "ORIGINAL_STDOUT_CALLBACK",
    "PATH",
    "LC_",
    "LANG",
    "TMPDIR",
)
#: Of those, the ones that are read anew for every playbook.
_READ_LATER = frozenset({"ANSIBLE_CACHE_PLUGIN_CONNECTION", "ANSIBLE_SSH_CONTROL_PATH_DIR"})


def fingerprint(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment is frozen in a process that has imported Ansible."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_READ_AT_IMPORT) and name not in _READ_LATER
    }


class WarmEngine:
    """Starts its parent when it is made, and does not wait for it. Close it.

    `config` is the text of the ansible.cfg that projects must have to be run warm; `root` holds the `content` of
    that configuration, and `files` are the paths below it. They are copied, so that nothing changes during a run.
    """

    name = "warm"

    def __init__(self, config: str, root: Path, files: Iterable[Path]) -> None:
        self._config = config
        place = _fast_place()
        remove_orphans(Path(place or tempfile.gettempdir()))
        self._folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place))
        self._environment = {
            "ANSIBLE_CONFIG": str(self._folder / _CONFIG),
            "ANSIBLE_LOCAL_TEMP": str(self._folder / "tmp"),
            "ANSIBLE_HOME": str(self._folder / "home"),
            "TMPDIR": str(self._folder / "tmp"),
        }
        pool = ThreadPoolExecutor(1, thread_name_prefix="warm engine")
        self._booting = pool.submit(self._boot, root, tuple(files))
        pool.shutdown(wait=False)

    @property
    def parent_id(self) -> int:
        """The process id of the parent. Raises what kept it from being started."""
        return self._booting.result()[0].pid

    def run(self, request: PlayRequest, on_event: Callable[[Event], None], cancel: Cancel) -> Outcome:
        """Run one playbook; see `Engine.run`."""
        doubt = self._doubt(request)
        if doubt:
            return _named(RunnerEngine().run(request, on_event, cancel), doubt)
        parent, frozen = self._booting.result()
        spawner = _Spawner(parent, frozen)
        warm = replace(request, environment={**request.environment, **self._environment})
        return _named(RunnerEngine(spawner, self._folder).run(warm, on_event, cancel), spawner.doubt)

    def close(self) -> None:
        """End the parent and remove what it used."""
        if self._booting.exception() is None:
            self._booting.result()[0].stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _boot(self, root: Path, files: Sequence[Path]) -> tuple[WarmParent, Mapping[str, str]]:
        _freeze(self._folder, self._config, root, files)
        expected = runner_environment(self._folder, self._environment)
        return WarmParent.start(self._folder, expected), fingerprint(expected)

    def _doubt(self, request: PlayRequest) -> str:
        """Why this playbook cannot be run warm; empty when it can."""
        config = request.project / _CONFIG
        if not config.is_file() or config.read_text(encoding="utf-8") != self._config:
            return "its ansible.cfg is another one"
        error = self._booting.exception()
        if error is not None:
            return f"the warm parent did not start: {error}"
        parent, _ = self._booting.result()
        if not parent.await_ready(_BOOT_SECONDS):
            return f"the warm parent did not start: {parent.said() or 'it took too long'}"
        return ""


def _fast_place() -> str | None:
    """Memory, where there is enough: each step makes and removes a dozen small files. Else where TMPDIR says."""
    if not os.access(MEMORY, os.W_OK | os.X_OK) or shutil.disk_usage(MEMORY).free < _ENOUGH_BYTES:
        return None
    return MEMORY


class _Spawner:
    """Forks if the environment allows it, else starts a process as ansible-runner would."""

    def __init__(self, parent: WarmParent, frozen: Mapping[str, str]) -> None:
        self._parent = parent
        self._frozen = frozen
        self._child: WarmSpawn | None = None
        self.roots: list[int] = []
        self.doubt = ""

    @property
    def trouble(self) -> str:
        """Why the child was lost in the middle; empty when it was not."""
        return str(self._child.died) if self._child and self._child.died else ""

    def __call__(self, command: str, args: Sequence[str], **options: Any) -> Any:
        found = fingerprint(options["env"])
        names = sorted(name for name in {*found, *self._frozen} if found.get(name) != self._frozen.get(name))
        self.doubt = f"the environment differs: {', '.join(names)}" if names else ""
        if not self.doubt:
            try:
                self._child = WarmSpawn(self._parent, command, args, **options)
            except HarnessError as error:
                self.doubt = str(error)
            else:
                self.roots.append(self._child.pid)
                return self._child
        return pexpect.spawn(command, list(args), **options)


def _named(outcome: Outcome, doubt: str) -> Outcome:
    return outcome.model_copy(update={"engine": "cold" if doubt else "warm", "why": doubt})


def _freeze(folder: Path, config: str, root: Path, files: Iterable[Path]) -> None:
    (folder / "tmp").mkdir()
    (folder / _CONFIG).write_text(config, encoding="utf-8")
    for file in files:
        target = folder / "content" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / file, target)
