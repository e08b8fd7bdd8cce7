#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: await_node
short_description: Wait for a node and keep the proof
description:
  - Looks at the power state and over ssh until the condition holds.
  - The connection is dropped after each failed try.
  - Fails at the deadline unless O(required=false).
author: The e2e-ansible authors !UNKNOWN
options:
  until:
    description: What to wait for. V(settled) means that services are up and a standby streams.
    type: str
    required: true
    choices: ["off", rebooted, off_or_rebooted, reachable, settled]
  act:
    description: Name of the act in the proof; the value of O(until) if empty.
    type: str
    default: ''
  since:
    description: The boot that was to end, as the module guard gives it.
    type: list
    elements: str
  deadline_seconds:
    description: How long to wait.
    type: float
    default: 60
  interval_seconds:
    description: Pause between two looks.
    type: float
    default: 0.5
  required:
    description: Fail when it is not proved by the deadline.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Skipped, because nothing has happened.
"""

EXAMPLES = r"""
- name: Wait for the next boot
  await_node:
    until: rebooted
    since: "{{ guarded.boot }}"
"""

RETURN = r"""
e2e_proof:
  description: What was awaited and how it was proved.
  returned: always
  type: dict
  contains:
    act:
      description: The act that is proved.
      type: str
    proved:
      description: Whether it was proved by the deadline.
      type: bool
    how:
      description: What proved it, or what was seen last.
      type: str
    before:
      description: The boot that was to end.
      type: dict
    after:
      description: Power state, reachability and boot at the last look.
      type: dict
    seconds:
      description: How long it took.
      type: float
"""
