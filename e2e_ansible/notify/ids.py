"""Ids of spans that follow from the run, so that a run that died and went on is one trace."""

from __future__ import annotations

from hashlib import sha256

from opentelemetry.sdk.trace.id_generator import IdGenerator

__all__ = ["Ids", "trace_id"]

_TRACE_BYTES, _SPAN_BYTES = 16, 8


def trace_id(run_id: str) -> str:
    """The id of the trace of a run, as 32 hexadecimal digits."""
    return sha256(run_id.encode()).digest()[:_TRACE_BYTES].hex()


class Ids(IdGenerator):
    """Gives the ids of the next span; `run_id` and `path`, its place in the run, are set before it is made."""

    def __init__(self) -> None:
        self.run_id = ""
        self.path: tuple[str, ...] = ()

    def generate_trace_id(self) -> int:
        """The same for all spans of a run."""
        return int(trace_id(self.run_id), 16)

    def generate_span_id(self) -> int:
        """Another one for each place in a run."""
        words = "\0".join((self.run_id, *self.path))
        return int.from_bytes(sha256(words.encode(errors="replace")).digest()[:_SPAN_BYTES], "big")
