"""What is written down and said of one test while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Literal, TypeVar

from e2e_ansible.judge.entry import Entry
from e2e_ansible.judge.record import TestRecord, fold_entry
from e2e_ansible.report.notice import Message
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import TestFolder
from e2e_ansible.run.journal import EventLog, Journal
from e2e_ansible.run.trouble import trouble_of

__all__ = ["Logbook", "logbook"]

T = TypeVar("T")


class Logbook:
    """The record of a test in memory, and the journal with the same entries in the same order. Any thread may call.

    `lost` says that the disk did not take one of them.
    """

    def __init__(
        self, context: RunContext, test: str, record: TestRecord, journal: Journal, events: EventLog
    ) -> None:
        self.record = record
        self.events = events
        self.lost = False
        self._context = context
        self._test = test
        self._journal = journal
        self._lock = threading.Lock()

    def write(self, entry: Entry) -> None:
        """Add an entry, whichever step writes.

        Raises:
            OSError: the journal could not be written; the record has it.
        """
        with self._lock:
            fold_entry(self.record, entry)
            try:
                self._journal.append(entry)
            except OSError:
                self.lost = True
                raise

    def guarded(self, act: Callable[[], T]) -> T | None:
        """Do it; an error becomes a trouble of the test, in memory at least."""
        try:
            return act()
        except (Exception, SystemExit) as error:  # a provider from elsewhere may call `exit`
            trouble = trouble_of(error, self._context.now())
            self.say(trouble.message, level="error")
            with suppress(OSError):  # then it is in memory, and the result comes from there
                self.write(trouble)
            return None

    def say(self, text: str, *, level: Literal["info", "warning", "error"] = "info") -> None:
        """Tell whoever watches the run."""
        now = self._context.now()
        self._context.tell(Message(at=now, test=self._test, level=level, text=text))


@contextmanager
def logbook(context: RunContext, test: str, folder: TestFolder, record: TestRecord) -> Iterator[Logbook]:
    """Open the files of a test, which may have something in them already.

    Raises:
        OSError: one cannot be opened; then none is left open.
    """
    with closing(Journal(folder.journal)) as journal, closing(EventLog(folder.events)) as events:
        yield Logbook(context, test, record, journal, events)
