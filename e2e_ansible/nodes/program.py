"""Programs as they are sent to a node: their parts joined to one source, as a node has no package to import from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

from e2e_ansible.nodes import (
    probe,
    probe_load,
    probe_machine,
    probe_patroni,
    probe_physical,
    probe_postgres,
    probe_services,
)

__all__ = ["PARTS", "joined", "program"]

#: In the order in which they need each other.
PARTS = (probe_machine, probe_postgres, probe_patroni, probe_services, probe_load, probe_physical, probe)

_FUTURE = "from __future__ import annotations\n"
_OWN_IMPORT = re.compile(r"^from e2e_ansible\.[\w.]+ import (?:\([^)]*\)|[^\n]*)\n", re.M)


@cache
def program() -> bytes:
    """The probe."""
    return joined(PARTS)


def joined(parts: Sequence[ModuleType]) -> bytes:
    """One module in which every name of every part is known; no two parts may use a name for different things."""
    texts = [Path(str(part.__file__)).read_text(encoding="utf-8") for part in parts]
    return (_FUTURE + "".join(_OWN_IMPORT.sub("", text.replace(_FUTURE, "")) for text in texts)).encode()
