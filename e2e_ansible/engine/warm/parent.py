"""The program of the warm parent. Run as `python -m e2e_ansible.engine.warm.parent SOCKET`.

It imports Ansible, loads what every playbook loads, and then forks a child for each request. It is single-threaded,
in a session of its own, holds no secret, and ends when its standard input ends, so also when its maker is killed.
Every child begins where a new `ansible-playbook` would: with the environment, folder and terminal of its request.

A request is one message on the socket: a JSON object with `argv`, `env` and `cwd`, and the descriptors of standard
input, output and error. The answers are lines of JSON: `{"pid": N}`, then `{"status": N}` as `os.wait` gives it.
"""

from __future__ import annotations

import ast
import ctypes
import fcntl
import gc
import json
import os
import pty
import select
import shutil
import signal
import socket
import sys
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.processes import family

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_MOST_BYTES = 4_000_000
#: The releases whose inner names this program uses; others are run cold until somebody has looked.
_KNOWN = {"ansible": "2.19.", "ansible_runner": "2.4."}
_SELF_TEST = """\
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {word: warm}
  tasks:
    - ansible.builtin.debug:
        msg: "{{ word }} {{ 6 * 7 }} {{ lookup('ansible.builtin.env', 'E2E_SELF_TEST') }}"
"""
_STREAMS = 3
_GRACE_SECONDS = 2.0
_MODULES = (
    "ansible.cli.playbook",
    "ansible.executor.playbook_executor",
    "ansible.plugins.action.normal",
    "e2e_ansible.nodes.power",
    "e2e_ansible.nodes.provisioning",
    "e2e_ansible.providers.local.driver",
)
#: Kinds of plugins of which every playbook loads all, only for their documented options.
_WHOLE = ("connection_loader", "shell_loader", "become_loader")
#: Plugins that almost every playbook loads, by the loader that finds them. Vars plugins are left alone: loading them
#: here would keep Ansible from priming them, and then children would not see group_vars and host_vars. So is
#: ansible-runner's callback: it binds the folder of its events, and turns messages into events from then on.
_CLASSES: Mapping[str, Sequence[str]] = {
    "callback_loader": ("default", "junit", "minimal", "oneline", "tree"),
    "inventory_loader": ("ini", "yaml"),
    "cache_loader": ("memory", "jsonfile"),
    "strategy_loader": ("linear",),
    "action_loader": (
        "command",
        "debug",
        "set_fact",
        "assert",
        "fail",
        "include_tasks",
        "raw",
        "script",
        "copy",
    ),
    "lookup_loader": ("env", "file"),
}
_OPTIONS_ONLY = {"vars_loader": "host_group_vars", "callback_loader": "awx_display"}
_FUNCTIONS: Mapping[str, Sequence[str]] = {
    "filter_loader": ("default", "bool", "string", "ternary", "quote", "to_json"),
    "test_loader": ("defined", "failed", "skipped", "changed"),
}


def main() -> None:
    """Boot, say `ready` on standard output, then serve until standard input ends."""
    path = sys.argv[1]
    sys.argv = ["ansible-playbook"]
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _check_versions()
    _boot()
    _test_itself(Path(path).parent)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind(path)
        os.chmod(path, 0o600)  # noqa: PTH101  # the folder is private already
        server.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        _Server(server, Path(path).parent).serve()
    # Whoever made the folder may have been killed.
    shutil.rmtree(Path(path).parent, ignore_errors=True)


def _check_versions() -> None:
    import ansible.release

    found = {"ansible": ansible.release.__version__, "ansible_runner": version("ansible-runner")}
    for name, prefix in _KNOWN.items():
        if not found[name].startswith(prefix):
            raise SystemExit(f"{name} {found[name]} is not known to the warm engine")


def _boot() -> None:
    for module in _MODULES:
        import_module(module)
    from ansible.plugins import loader

    loader.init_plugin_loader()
    # Once is enough: a child that asks again would only be warned that it was done.
    vars(loader)["_configure_collection_loader"] = lambda prefix: None
    for plugins in _WHOLE:
        list(getattr(loader, plugins).all(class_only=True))
    for plugins, names in (*_CLASSES.items(), *_configured()):
        for name in names:
            getattr(loader, plugins).get(name, class_only=True)
    for plugins, names in _FUNCTIONS.items():
        for name in names:
            getattr(loader, plugins).get(name)
    for plugins, name in _OPTIONS_ONLY.items():
        _load_options(getattr(loader, plugins), name)
    _keep_parser()
    _render_once()
    gc.collect()
    gc.freeze()


def _load_options(plugins: Any, name: str) -> None:
    """Read the documented options of a plugin, which is most of what loading it costs, without importing it."""
    path = next(place for place in _files(plugins) if place.stem == name)
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            module = SimpleNamespace(DOCUMENTATION=ast.literal_eval(node.value))
            plugins._load_config_defs(name, module, str(path))


def _files(plugins: Any) -> Iterator[Path]:
    """Where its plugins may be. Asking the loader of vars plugins itself would switch group_vars off."""
    builtin = Path(import_module(plugins.package).__file__ or "").parent
    for folder in (builtin, *map(Path, plugins.config or ())):
        yield from folder.glob("*.py")


def _keep_parser() -> None:
    """Build the parser of the command line once; it depends on nothing but the configuration."""
    from ansible.cli.playbook import PlaybookCLI

    command = PlaybookCLI(["ansible-playbook"])
    command.init_parser()
    PlaybookCLI.init_parser = lambda self: setattr(self, "parser", command.parser)


def _configured() -> Iterator[tuple[str, list[str]]]:
    """The plugins in the folders that the configuration names."""
    from ansible import constants

    for plugins, folders in (
        ("action_loader", constants.DEFAULT_ACTION_PLUGIN_PATH),
        ("inventory_loader", constants.DEFAULT_INVENTORY_PLUGIN_PATH),
    ):
        yield plugins, [path.stem for folder in folders for path in Path(folder).glob("*.py")]


def _render_once() -> None:
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar, trust_as_template

    Templar(loader=DataLoader(), variables={"word": "warm"}).template(trust_as_template("{{ word }}"))


def _test_itself(folder: Path) -> None:
    """Run a playbook in a child as any other. Raises SystemExit if it does not print what it must."""
    playbook = folder / "self-test.yml"
    playbook.write_text(_SELF_TEST, encoding="utf-8")
    inventory = folder / "self-test.ini"
    inventory.write_text("localhost\n", encoding="utf-8")
    master, slave = pty.openpty()
    pid = os.fork()
    if pid == 0:
        os.close(master)
        environment = {**os.environ, "E2E_SELF_TEST": "fork"}
        argv = ["ansible-playbook", "-i", str(inventory), str(playbook)]
        _become({"argv": argv, "env": environment, "cwd": str(folder)}, [slave] * 3, leave=lambda: None)
    os.close(slave)
    said = _read_all(master)
    _, status = os.waitpid(pid, 0)
    if status != 0 or b"warm 42 fork" not in said:
        raise SystemExit(f"the self-test of the warm parent failed: {said.decode(errors='replace')[-400:]}")


def _read_all(terminal: int) -> bytes:
    parts = []
    with suppress(OSError):  # EIO is how a terminal ends
        while data := os.read(terminal, 4096):
            parts.append(data)
    os.close(terminal)
    return b"".join(parts)


class _Server:
    """Serves requests one after the other; children run side by side."""

    def __init__(self, server: socket.socket, folder: Path) -> None:
        self._server = server
        self._folder = os.fsencode(folder)
        self._clients: dict[int, socket.socket] = {}
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Until standard input ends; then all that belongs to a playbook is ended."""
        while True:
            clients = list(self._clients.values())
            ready, _, _ = select.select([self._server, sys.stdin, self._woken, *clients], [], [])
            if sys.stdin in ready:
                break
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            if self._server in ready:
                self._take()
            for client in ready:
                if client in clients:
                    self._hang_up(client)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._left():
                _signal(pid, number)
            if Deadline(_GRACE_SECONDS).wait_for(self._alone, interval=0.02):
                return

    def _alone(self) -> bool:
        self._reap()
        return not self._left()

    def _left(self) -> list[int]:
        """Descendants that know our folder, as all playbooks do. A node that one has started does not, and stays."""
        return [pid for pid in family(os.getpid())[1:] if self._folder in _environment(pid)]

    def _take(self) -> None:
        client, _ = self._server.accept()
        data, streams, _flags, _address = socket.recv_fds(client, _MOST_BYTES, _STREAMS)
        try:
            request = json.loads(data)
            pid = os.fork()
            if pid == 0:
                _become(request, streams, leave=lambda: self._leave(client))
            client.send(json.dumps({"pid": pid}).encode())
            self._clients[pid] = client
        except (OSError, ValueError) as error:
            client.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
            client.close()
        finally:
            for stream in streams:
                os.close(stream)

    def _leave(self, client: socket.socket) -> None:
        """In the child: let go of what serves."""
        signal.set_wakeup_fd(-1)
        for connection in (self._server, client, *self._clients.values()):
            connection.close()
        os.close(self._woken)
        os.close(self._wake)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            client = self._clients.pop(pid, None)
            if client is not None:  # else it was an orphan of a child
                _send(client, {"status": status})
                client.close()

    def _hang_up(self, client: socket.socket) -> None:
        """A client that goes away does not want its child any more."""
        for pid, known in list(self._clients.items()):
            if known is client:
                _signal(pid, signal.SIGTERM)
                del self._clients[pid]
        client.close()


def _become(request: Mapping[str, Any], streams: Sequence[int], *, leave: Callable[[], None]) -> NoReturn:
    """In the child: leave everything of the parent behind and run the playbook."""
    code = 250
    try:
        leave()
        _take_terminal(streams)
        _take_environment(request["env"], request["cwd"])
        code = _run(request["argv"])
    except BaseException as error:  # nothing may return into the parent's loop
        os.write(2, f"ERROR! the warm child failed: {type(error).__name__}: {error}\n".encode())
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _take_terminal(streams: Sequence[int]) -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number, inheritable=True)
    for stream in set(streams):
        os.close(stream)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.stdin = os.fdopen(0, "r", closefd=False)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", closefd=False)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]


def _take_environment(environment: Mapping[str, str], folder: str) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)


def _run(argv: Sequence[str]) -> int:
    """Run `ansible-playbook`. What the parent computed once and must not be the same twice is made anew."""
    import random
    import secrets

    import ansible.utils.vars as identity
    from ansible.cli.playbook import PlaybookCLI

    random.seed()
    identity.cur_id = 0
    identity.random_int = f"{secrets.randbelow(2**32):08x}"
    sys.argv = list(argv)
    try:
        PlaybookCLI.cli_executor(list(argv))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # it has ended
        return b""


def _send(client: socket.socket, answer: Mapping[str, int]) -> None:
    try:
        client.send(json.dumps(answer).encode())
    except OSError:  # it is gone, and so does not want to know
        return


if __name__ == "__main__":
    main()
