# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Surveys of job templates, for awx_setup.yml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from e2e_ansible.awx.survey import survey_of


class FilterModule:
    """`e2e_survey`: parsed argument specs of roles to the survey of a job template."""

    def filters(self) -> Mapping[str, Callable[..., Any]]:
        """All filters by name."""
        return {"e2e_survey": survey_of}
