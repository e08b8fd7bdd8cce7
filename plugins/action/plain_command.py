# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command over the connection itself: no Python on the target, no terminal, both outputs apart."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from e2e_ansible.nodes.plain import ARGUMENTS, run_plain


class ActionModule(ActionBase):
    """Result: as `ansible.builtin.command`; cmd is the list of arguments, delta covers the way there and back."""

    _VALID_ARGS = frozenset(ARGUMENTS)

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the command and tell what came of it."""
        result = super().run(tmp, task_vars or {})
        _, args = self.validate_argument_spec(ARGUMENTS)
        return {**result, **run_plain(self._low_level_execute_command, **args)}
