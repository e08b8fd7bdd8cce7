"""The first interrupt ends the step, collects and cleans up; the second leaves everything as it is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from e2e_ansible.engine.protocol import Cancel

__all__ = ["interrupts"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupts(cancel: Cancel, abandon: Cancel, tell: Callable[[str], None]) -> Iterator[None]:
    """Turn signals into cancels while the block runs; outside the main thread nothing is changed.

    Signals that were ignored before stay ignored, as `nohup` wants it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if cancel.is_set:
            abandon.set()
            text = "interrupted again: everything is left as it is"
        else:
            cancel.set()
            text = (
                "interrupted: ending the step, collecting logs, cleaning up; once more to leave all as it is"
            )
        # not from here: a listener may hold its lock in this very thread
        threading.Thread(target=tell, args=(text,), daemon=True).start()

    heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
