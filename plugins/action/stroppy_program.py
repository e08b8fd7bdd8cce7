# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes Stroppy be on the controller, in the store of a node, or at its place there."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.artifacts.delivery import Hands
    from e2e_ansible.artifacts.install import deliver
    from e2e_ansible.artifacts.stroppy import Source, program
    from e2e_ansible.errors import E2EError
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"
_SOURCE = ("url", "sha256", "archive", "commit", "folder")


class ActionModule(ActionBase):
    """Result: changed, sha256, source, and on a node machine and version."""

    TRANSFERS_FILES = True
    _VALID_ARGS = frozenset((*_SOURCE, "coverage", "path", "state", "machine"))
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Bring it to where it is asked for."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        result = super().run(tmp, task_vars or {})
        args = self.validate_argument_spec(
            {
                **{name: {"type": "str", "default": ""} for name in _SOURCE},
                "coverage": {"type": "bool", "default": False},
                "path": {"type": "str", "default": "/usr/local/bin/stroppy"},
                "state": {"type": "str", "default": "present", "choices": ["built", "loaded", "present"]},
                "machine": {"type": "str", "default": ""},
            }
        )[1]
        source = Source.model_validate({name: args[name] for name in (*_SOURCE, "coverage")})
        try:
            return {**result, **self._do(args, source)}
        except E2EError as error:
            return {**result, "failed": True, "msg": str(error), "hint": error.hint}
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)

    def _do(self, args: dict[str, Any], source: Source) -> dict[str, Any]:
        only_look = bool(self._task.check_mode)
        if args["state"] == "built":
            machine = args["machine"] or platform.machine()
            there = program(source, machine, only_look=True)
            made = there or program(source, machine, only_look=only_look)
            return {
                "changed": there is None,
                "source": source.title,
                "sha256": made.sha256 if made else "",
            }
        return deliver(
            Hands(self._execute, self._transfer),
            source,
            args["path"],
            install=args["state"] == "present",
            only_look=only_look,
        )

    def _execute(self, words: str) -> dict[str, Any]:
        done: dict[str, Any] = self._low_level_execute_command(words, in_data=b"\n")
        return done

    def _transfer(self, path: Path) -> str:
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        target = self._connection._shell.join_path(self._connection._shell.tmpdir, path.name)
        return str(self._transfer_file(str(path), target))
