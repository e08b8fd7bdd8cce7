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
_ONCE = "interrupted: ending the step, collecting logs, cleaning up; once more to leave all as it is"
_AGAIN = "interrupted again: everything is left as it is"


@contextmanager
def interrupts(cancel: Cancel, abandon: Cancel, tell: Callable[[str], None]) -> Iterator[None]:
    """Turn signals into cancels while the block runs; outside the main thread nothing is changed.

    Signals that were ignored before stay ignored, as `nohup` wants it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    heard: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        again = bool(heard) or cancel.is_set
        heard.append(number)
        # not from here: this very thread may hold the lock of a listener, or that of the cancel for which it waits
        threading.Thread(target=act, args=(again,), daemon=True).start()

    def act(again: bool) -> None:
        (abandon if again else cancel).set()
        tell(_AGAIN if again else _ONCE)

    taken = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in taken}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
