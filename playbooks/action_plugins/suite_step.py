# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a step of a suite from plain variables, for step.yml."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from e2e_ansible.awx.act import read_step
from e2e_ansible.awx.admission import BEGAN, REFUSED, Admission, admit
from e2e_ansible.awx.artifacts import BEGUN, artifact, begun_of, registered_of
from e2e_ansible.awx.job_variables import Asked
from e2e_ansible.errors import E2EError
from e2e_ansible.providers.home import default_home


class ActionModule(ActionBase):
    """Result: the facts e2e_act and e2e_handed; with a time class e2e_began; e2e_refused if it may not begin."""

    _VALID_ARGS = frozenset(Asked.model_fields)
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read it, or say what is wrong with it and what is nearest; then whether it may begin."""
        variables = task_vars or {}
        result = super().run(tmp, variables)
        try:
            asked = Asked.model_validate({**self._task.args, "registered": registered_of(variables)})
            act = read_step(asked)
            word = _admitted(asked, variables)
        except E2EError as error:
            return {**result, "failed": True, "msg": f"{error} ({error.hint})" if error.hint else str(error)}
        except ValueError as error:
            return {**result, "failed": True, "msg": f"the variables of the step are wrong: {error}"}
        if word.refused is not None:
            told = word.refused.model_dump(mode="json")
            return {**result, "failed": True, "msg": word.refused.text, REFUSED: told}
        act["until"] = word.until
        handed = {artifact(BEGUN, asked.step_id): word.begun} if word.until and word.first else {}
        began = {BEGAN: word.begun} if word.until else {}
        facts = {"e2e_act": act, "e2e_handed": handed}
        return {**result, "changed": False, **began, "ansible_facts": facts}


def _admitted(asked: Asked, variables: Mapping[str, Any]) -> Admission:
    return admit(
        time_class=asked.time_class,
        requirements=asked.requirements,
        begun=begun_of(variables),
        now=time.time(),
        disk=default_home(),
    )
