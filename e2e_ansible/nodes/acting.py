"""What the action plugins that act by one function share: the answer that they begin with, their arguments, errors.

The guard for a missing package stays in each plugin: Ansible loads every plugin as a file by itself, from a checkout
as well as from a collection, so nothing but this package can be shared, and it is what may be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from e2e_ansible.errors import E2EError

__all__ = ["act"]

Given = Mapping[str, Any]


def act(
    action: Any,
    arguments: Mapping[str, Mapping[str, object]],
    variables: Mapping[str, Any] | None,
    do: Callable[[dict[str, Any], Given], Given],
) -> dict[str, Any]:
    """The result of a task: what `do` makes of its checked arguments and of the variables of its host.

    Raises:
        AnsibleActionFail: an argument is wrong, or `do` raised one of our errors, whose words it has.
    """
    known: Given = variables or {}
    action._VALID_ARGS = frozenset(arguments)
    result: Given = ActionBase.run(action, None, known)
    args: dict[str, Any] = action.validate_argument_spec(arguments)[1]
    try:
        return {**result, **do(args, known)}
    except E2EError as error:
        raise AnsibleActionFail(str(error)) from None
