"""What a node is asked for of its site, and its answer: one line of JSON behind a marker. This runs on nodes."""

from __future__ import annotations

import json
import sys
import time

from e2e_ansible.nodes.site_data import Data
from e2e_ansible.nodes.site_member import Member, RefusedError
from e2e_ansible.nodes.site_switch import Switch

TYPE_CHECKING = False  # the node need not import this
if TYPE_CHECKING:
    from typing import Any

__all__ = ["SITE_MARKER", "SWITCHED", "serve_site"]

SITE_MARKER = "e2e-site: "
SWITCHED = ("primary", "standby", "fenced")


def serve_site(given: dict[str, Any]) -> dict[str, Any]:
    """Do it; gives `changed` and the proof, whether it was proved or not."""
    began = time.monotonic()
    proof: dict[str, Any] = {"act": f"{given['site']} {given['state']}", "proved": False}
    member = None
    changed = False
    try:
        member = Member(given)
        work = Switch(member) if given["state"] in SWITCHED else Data(member)
        if given["check"]:
            changed = work.would_change()
        else:
            work.reach()
        proof["how"], proof["proved"] = "; ".join(member.said), not given["check"]
    except (RefusedError, OSError, LookupError, ValueError) as error:
        proof["how"] = str(error) if isinstance(error, RefusedError) else f"{type(error).__name__}: {error}"
        proof["failed"] = True
    proof["seconds"] = round(time.monotonic() - began, 3)
    return {"changed": changed or bool(member and member.changed), "proof": proof}


if __name__ == "__main__":
    sys.stdout.write(SITE_MARKER + json.dumps(serve_site(json.loads(sys.argv[1]))) + "\n")
