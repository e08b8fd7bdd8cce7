"""Looks at the machine it runs on and prints one line of JSON; its arguments are SECTION... [deadline=S] [physical=S].

It uses the standard library alone, because the node has nothing else. `program.py` joins it with the parts that it
imports to the one program that is sent. Nothing here changes the node, except that the section `postgres` commits one
logical message to prove that writes are confirmed, which `read_only` leaves out, and that `amcheck` adds the extension
of that name on the primary. `exporter` and `backup` are those parts of `services` alone.
"""

from __future__ import annotations

import json
import sys
import time

from e2e_ansible.nodes.probe_load import load
from e2e_ansible.nodes.probe_machine import identity, system
from e2e_ansible.nodes.probe_patroni import patroni
from e2e_ansible.nodes.probe_physical import physical
from e2e_ansible.nodes.probe_postgres import postgres
from e2e_ansible.nodes.probe_services import PARTS_OF_SERVICES, services

TYPE_CHECKING = False  # typing would cost a tenth of the start
if TYPE_CHECKING:
    from typing import Any

__all__ = ["DEFAULT_DEADLINE_SECONDS", "MARKER", "PHYSICAL_SECONDS", "SECTIONS", "identity", "main"]

MARKER = "E2E-PROBE "
SECTIONS = ("identity", "system", "postgres", "integrity", "patroni", "services", "load", "amcheck")
DEFAULT_DEADLINE_SECONDS = 6.5
PHYSICAL_SECONDS = 60.0


def _seconds(arguments: list[str], name: str, default: float) -> float:
    given = [argument for argument in arguments if argument.startswith(name + "=")]
    return float(given[-1].partition("=")[2]) if given else default


def main(arguments: list[str]) -> None:
    """Print the asked sections as one marked line. Reading all data has its own time, after that of the rest."""
    deadline = _seconds(arguments, "deadline", DEFAULT_DEADLINE_SECONDS)
    ends = time.monotonic() + deadline
    facts: dict[str, Any] = {"identity": identity()}
    if "system" in arguments:
        facts.update(system(min(3.0, deadline)))
    if "postgres" in arguments or "integrity" in arguments:
        facts["postgres"] = postgres(ends, "integrity" in arguments, writes="read_only" not in arguments)
    if "patroni" in arguments:
        facts["patroni"] = patroni(ends, facts["identity"]["hostname"])
    parts = PARTS_OF_SERVICES if "services" in arguments else PARTS_OF_SERVICES & set(arguments)
    if parts:
        facts["services"] = services(ends, parts)
    if "load" in arguments:
        facts["load"] = load(ends, facts["identity"]["container"])
    if "amcheck" in arguments:
        facts["physical"] = physical(_seconds(arguments, "physical", PHYSICAL_SECONDS))
    sys.stdout.write(MARKER + json.dumps(facts) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
