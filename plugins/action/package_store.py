# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches packages with all that they need once, and makes them known to apt on nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.artifacts.delivery import Hands
    from e2e_ansible.artifacts.package_work import Request, serve
    from e2e_ansible.errors import E2EError
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"


class ActionModule(ActionBase):
    """Result: changed, key, file and count of the packages on the controller."""

    TRANSFERS_FILES = True
    _VALID_ARGS = frozenset(("names", "state", "release"))
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Bring them to where they are asked for."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        result = super().run(tmp, task_vars or {})
        args = self.validate_argument_spec(
            {
                "names": {"type": "list", "elements": "str", "required": True},
                "state": {"type": "str", "default": "loaded", "choices": ["built", "loaded"]},
                "release": {"type": "dict", "default": {}},
            }
        )[1]
        request = Request(tuple(args["names"]), args["release"], args["state"] == "loaded")
        try:
            return {**result, **self._serve(request)}
        except E2EError as error:
            return {**result, "failed": True, "msg": str(error), "hint": error.hint}
        except AnsibleError as error:
            return {**result, "failed": True, "msg": f"a file could not be copied: {error.message}"}
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)

    def _serve(self, request: Request) -> dict[str, Any]:
        hands = Hands(self._execute, self._transfer)
        return serve(request, hands, self._fetch, only_look=bool(self._task.check_mode))

    def _execute(self, words: str) -> dict[str, Any]:
        done: dict[str, Any] = self._low_level_execute_command(words, in_data=b"\n")
        return done

    def _transfer(self, path: Path) -> str:
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        target = self._connection._shell.join_path(self._connection._shell.tmpdir, path.name)
        return str(self._transfer_file(str(path), target))

    def _fetch(self, there: str, here: Path) -> None:
        self._connection.fetch_file(there, str(here))
