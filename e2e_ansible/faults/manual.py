"""The table of all faults, made from the registry: `python -m e2e_ansible.faults.manual > docs/faults.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from pydantic_core import PydanticUndefined

from e2e_ansible.faults.base import Fault
from e2e_ansible.faults.registry import faults

__all__ = ["manual"]

_HEAD = """\
<!-- Made by `python -m e2e_ansible.faults.manual` from the faults. -->

# Faults

A fault is injected, its effect is proved, it is healed, and the heal is proved:
```yaml
- step: fault
  name: cut
  fault: partition
  target: primary
  options: {direction: both}
- step: validate
  checks: [cluster_degraded]
- step: heal
  fault: cut
```
With `for_seconds: 20` the step heals it by itself. Without effect it is healed at once and the step is unknown, never
a pass. A heal that is not proved is a failure of the clean-up. Whatever is open after the last step is healed before
the nodes are removed, also when a step failed or the run was interrupted; after a kill, `e2e-ansible heal` does it.

Targets: a node, `label:X`, `all`, or what is chosen when the step runs: `primary`, `replica`, `one`, `minority`,
`majority`, `random`, `random:2`, with a `seed`. Who takes writes is asked of PostgreSQL, and where Patroni runs of
Patroni as well: if they disagree, or nobody fits, the step fails; another node is never taken. Wrong names, options
and targets, what the provider cannot do, and a heal of no fault are told when the suite is read.

A heal by name means the faults of the step of that name, or of that kind; after it the nodes that they took away
count as up again. A cut is healed when every other node that answered before answers again, but for those that are
off or that another open fault keeps away.

Before anything is done the identity of the node is compared with that of the controller, and what heals it is synced
to `faults.jsonl` in the folder of the test and to `/var/lib/e2e-ansible/faults` on the node. A timer on the node
heals after `expires_seconds` (3600) if nobody comes. The timer does not outlive a boot of the node; the record does,
and so do a full disk and a corrupted block: `e2e-ansible heal`, or `sh /var/lib/e2e-ansible/faults/KEY.heal` on the
node, ends them. Packages bring faults of their own: see [extending.md](extending.md#a-fault).

"""


def manual() -> str:
    """The whole page."""
    known = faults()
    rows = [
        "| fault | what it does | how its effect is proved | how it is healed, and that proved | where it works |"
    ]
    rows.append("|---|---|---|---|---|")
    rows += [
        f"| [`{name}`](#{name}) | {fault.summary} | {fault.effect_proof} | {fault.healing} | {fault.works} |"
        for name, fault in known.items()
    ]
    parts = [_HEAD + "\n".join(rows) + "\n", *(_section(fault) for fault in known.values())]
    return "\n".join(parts)


def _section(fault: Fault[Any]) -> str:
    return "\n".join([f"## {fault.name}", f"{fault.summary}.", *_options(fault), ""])


def _options(fault: Fault[Any]) -> Iterator[str]:
    fields = fault.options.model_fields
    if not fields:
        yield "It has no options."
        return
    yield "\n| option | default | meaning |\n|---|---|---|"
    for name, field in fields.items():
        default = "required" if field.default is PydanticUndefined else f"`{field.default}`"
        yield f"| `{name}` | {default if field.default is not None else ''} | {field.description} |"


if __name__ == "__main__":
    sys.stdout.write(manual())
