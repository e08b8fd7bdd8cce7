"""The integrity writer of one test: writes from deploy to destroy, and holds still while the cluster is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from e2e_ansible.compile.plan import Plan
from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import HarnessError
from e2e_ansible.oracle.config import WriterConfig
from e2e_ansible.oracle.history import acknowledged, parse
from e2e_ansible.oracle.process import WriterProcess
from e2e_ansible.oracle.ranges import Ranges
from e2e_ansible.providers.base import Node

__all__ = ["IntegrityWriter"]

_FIRST_ROW_SECONDS = 10
_CLIENT = "e2e"


class IntegrityWriter:
    """Runs at most one writer; without one, every look has `None` acknowledged.

    A writer that is started after `stop` belongs to another cluster, so it gets a history of its own.
    """

    def __init__(self, plan: Plan, history: Path) -> None:
        self._plan = plan
        self._first = history
        self._clusters = 1
        self._process: WriterProcess | None = None

    def start(self, nodes: Sequence[Node]) -> None:
        """Start writing to the cluster, and wait a moment for the first row.

        Raises:
            HarnessError: it did not start, or the provider names no password for clients.
        """
        targets = [node for node in nodes if self._is_target(node)]
        password = next((node.variables.get("e2e_client_password_file") for node in targets), None)
        if not isinstance(password, str):
            raise HarnessError("the provider names no password file, so data_integrity cannot be shown")
        config = WriterConfig(
            hosts=tuple(str(node.variables["ansible_host"]) for node in targets),
            user=_CLIENT,
            password_file=Path(password),
            history=self._history,
        )
        if self._process is not None:  # the cluster was deployed once more; its rows are still there
            self._process.stop()
        process = self._process = WriterProcess.start(config)
        Deadline(_FIRST_ROW_SECONDS).wait_for(lambda: process.status().ok > 0, interval=0.1)

    @contextmanager
    def still(self) -> Iterator[Ranges | None]:
        """Hold the writer for a look; gives the rows that it saw committed up to now.

        Raises:
            HarnessError: it has ended, or does not answer.
        """
        if self._process is None:
            yield None
            return
        last = self._process.pause().last
        try:
            yield acknowledged(parse(self._history.read_bytes()), upto=last)
        finally:
            self._process.resume()

    def stop(self) -> None:
        """End the writer."""
        if self._process is not None:
            self._process.stop()
            self._process = None
            self._clusters += 1

    @property
    def _history(self) -> Path:
        first = self._first
        return (
            first if self._clusters == 1 else first.with_name(f"{first.stem}-{self._clusters}{first.suffix}")
        )

    def _is_target(self, node: Node) -> bool:
        """Servers that stand alone share nothing: there only the primary is written to."""
        alone = self._plan.database == "standalone"
        return "database" in node.labels and (not alone or node.name == self._plan.primary)
