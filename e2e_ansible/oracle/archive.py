"""Builds the client as one file that Python runs: nodes have no more than Python and psycopg 3."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import e2e_ansible

__all__ = ["MODULES", "archive"]

#: They import each other, the standard library and psycopg, and nothing else.
MODULES = (
    "errors",
    "oracle/__init__",
    "oracle/client",
    "oracle/config",
    "oracle/history",
    "oracle/history_file",
    "oracle/measure",
    "oracle/orders",
    "oracle/ranges",
    "oracle/schedule",
    "oracle/session",
    "oracle/workloads",
)
_MAIN = "import sys\n\nfrom e2e_ansible.oracle.client import main\n\nsys.exit(main())\n"
_OLDEST = (1980, 1, 1, 0, 0, 0)  # the time of every member, so that the same modules give the same bytes


def archive() -> bytes:
    """The archive; run it as `python3 FILE --config CONFIG`. The same package gives the same bytes."""
    package = Path(e2e_ansible.__file__).resolve().parent
    texts = {"__main__.py": _MAIN.encode(), "e2e_ansible/__init__.py": b""}
    texts |= {f"e2e_ansible/{name}.py": (package / f"{name}.py").read_bytes() for name in MODULES}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in texts.items():
            file.writestr(zipfile.ZipInfo(name, _OLDEST), text, zipfile.ZIP_DEFLATED)
    return made.getvalue()
