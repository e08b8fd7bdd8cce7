#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: guard
short_description: Refuse an act that could hit the controller
description:
  - Reads the identity of the target over the very connection that will carry the act.
  - Compares it with the identity of the controller.
  - "Fails with a message that starts with C(refused:) unless the target may be hit."
author: The e2e-ansible authors !UNKNOWN
options:
  sysrq:
    description: Tell also whether SysRq may be used on the target. A refused SysRq is no failure.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Only looks, so it does the same.
"""

EXAMPLES = r"""
- name: Refuse to crash the controller
  guard:
    sysrq: true
  register: guarded
"""

RETURN = r"""
identity:
  description: Identity of the target; the fields of Identity.
  returned: when it could be read
  type: dict
boot:
  description: Boot id and start of process 1, to be given to await_node as since.
  returned: when not refused
  type: list
sysrq_allowed:
  description: Whether SysRq may be used.
  returned: when sysrq is true
  type: bool
sysrq_reason:
  description: Why SysRq may not be used.
  returned: when sysrq is true
  type: str
"""
