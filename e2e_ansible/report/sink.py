"""Where lines go: a stream that may break at any time without breaking the run."""

from __future__ import annotations

from threading import Lock
from typing import IO

__all__ = ["LineSink"]


class LineSink:
    """Writes and flushes whole lines. After the first error it writes nothing more and keeps `error`."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = Lock()
        self.error: Exception | None = None

    def write(self, line: str) -> None:
        """Write one line; what the stream cannot encode becomes a question mark."""
        with self._lock:
            if self.error is not None:
                return
            try:
                self._stream.write(self._encodable(line) + "\n")
                self._stream.flush()
            except (OSError, ValueError) as error:
                self.error = error

    def _encodable(self, line: str) -> str:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        return line.encode(encoding, "replace").decode(encoding)
