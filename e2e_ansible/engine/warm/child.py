"""A forked child: it waits for one request, runs it as a new `ansible-playbook` would, and ends."""

from __future__ import annotations

import ctypes
import fcntl
import json
import multiprocessing
import os
import re
import signal
import socket
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from e2e_ansible.engine.warm.pages import Ranges, make_private, written

__all__ = ["MOST_BYTES", "STREAMS", "ForkedChild"]

MOST_BYTES = 4_000_000
STREAMS = 3
_FAILED = 250
_WORKER_SECONDS = 2
_PR_SET_PDEATHSIG = 1


class ForkedChild:
    """The parent's side of a child that waits."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self._channel = channel

    @classmethod
    def fork(cls, leave: Callable[[], None], pages: Ranges = ()) -> ForkedChild:
        """Fork one. In it, `leave` lets go of what the parent serves with, and `pages` are made its own.

        Raises:
            OSError: there is none.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            pid = os.fork()
            if pid == 0:
                ours.close()
                _live(theirs, leave, pages)
        return cls(pid, ours)

    def hand_over(self, request: bytes, streams: Sequence[int]) -> None:
        """Give it its only request: JSON with `argv`, `env`, `cwd`, and standard input, output and error.

        Raises:
            OSError: it has ended, and nothing was run.
        """
        with self._channel as channel:
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * len(request))
            socket.send_fds(channel, [request], list(streams))


def _live(channel: socket.socket, leave: Callable[[], None], pages: Ranges) -> NoReturn:
    """In the child, from its first moment to its last."""
    code = _FAILED
    try:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        _reset_signals()
        leave()
        make_private(pages)
        data, streams, _flags, _address = socket.recv_fds(channel, MOST_BYTES, STREAMS)
        channel.close()
        code = _serve(json.loads(data), streams) if data else 0
    except BaseException as error:  # nothing may return into the parent's loop
        os.write(2, f"ERROR! the warm child failed: {type(error).__name__}: {error}\n".encode())
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _serve(request: Mapping[str, Any], streams: Sequence[int]) -> int:
    """Leave everything of the parent behind and run the playbook. With `learn`, tell there what it needed."""
    _take_terminal(streams)
    _take_environment(request["env"], request["cwd"])
    code = _run(request["argv"])
    for worker in multiprocessing.active_children():  # as at the end of any process that ends by itself
        worker.join(_WORKER_SECONDS)
    if "learn" in request:
        Path(request["learn"]).write_text(json.dumps({"pages": written(), "patterns": _patterns()}))
    return code


def _patterns() -> list[tuple[str, int]]:
    """The regular expressions that are compiled by now, with their flags."""
    keys = getattr(re, "_cache", {})
    return [(pattern, int(flags)) for _, pattern, flags in keys if isinstance(pattern, str)]


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _take_terminal(streams: Sequence[int]) -> None:
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number, inheritable=True)
    for stream in set(streams):
        os.close(stream)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
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
