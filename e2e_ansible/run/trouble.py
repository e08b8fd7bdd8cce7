"""What went wrong outside a playbook, as it is written down."""

from __future__ import annotations

from e2e_ansible.errors import E2EError, InfrastructureError
from e2e_ansible.judge.cause import is_infrastructure
from e2e_ansible.judge.entry import HINT, Trouble
from e2e_ansible.unicode import whole

__all__ = ["trouble_of"]


def trouble_of(error: BaseException, at: float, *, step: str = "") -> Trouble:
    """The journal entry of an error, at a time in epoch seconds; machines and disks are told from the harness.

    What the error tells the user to do is its last line.
    """
    outside = isinstance(error, (OSError, InfrastructureError)) or is_infrastructure(str(error))
    known = isinstance(error, (OSError, E2EError))
    message = str(error) if known else f"{type(error).__name__}: {error}"
    hint = f"\n{HINT}{error.hint}" if isinstance(error, E2EError) and error.hint else ""
    return Trouble(at=at, message=whole(message + hint), step=step, infrastructure=outside)
