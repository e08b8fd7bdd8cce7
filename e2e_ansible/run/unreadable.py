"""Files of a run folder that cannot be read: one sentence that names the file and says why."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from e2e_ansible.errors import HarnessError

__all__ = ["unreadable"]


def unreadable(file: Path, error: OSError | ValidationError) -> HarnessError:
    """The error to raise; of many faults in a file it tells the first."""
    return HarnessError(f"{file} cannot be read: {_why(error)}")


def _why(error: OSError | ValidationError) -> str:
    if isinstance(error, OSError):
        return os.strerror(error.errno).lower() if error.errno else str(error)
    first, *others = error.errors(include_url=False, include_input=False)
    place = ".".join(map(str, first["loc"]))
    more = f", and {len(others)} more" if others else ""
    return f"{place}: {first['msg']}{more}" if place else first["msg"] + more
