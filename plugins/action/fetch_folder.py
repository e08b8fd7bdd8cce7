# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a folder of a node to the controller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.artifacts.delivery import Hands
    from e2e_ansible.artifacts.folder import bring_folder
    from e2e_ansible.errors import E2EError
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"


class ActionModule(ActionBase):
    """Result: changed, files."""

    _VALID_ARGS = frozenset(("src", "dest"))
    _supports_check_mode = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Copy what is in it."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        result = super().run(tmp, task_vars or {})
        spec = {"type": "str", "required": True}
        args = self.validate_argument_spec({"src": spec, "dest": spec})[1]
        hands = Hands(self._execute, str)
        try:
            files = bring_folder(hands, self._fetch, args["src"], Path(args["dest"]))
        except E2EError as error:
            return {**result, "failed": True, "msg": str(error), "hint": error.hint}
        except AnsibleError as error:
            return {**result, "failed": True, "msg": f"{args['src']} could not be copied: {error.message}"}
        return {**result, "changed": files > 0, "files": files}

    def _execute(self, words: str) -> dict[str, Any]:
        done: dict[str, Any] = self._low_level_execute_command(words, in_data=b"\n")
        return done

    def _fetch(self, there: str, here: Path) -> None:
        self._connection.fetch_file(there, str(here))
