#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fault
short_description: Inject a fault on a node and prove its effect, or heal it and prove that
description:
  - Compares the identity of the node with that of the controller first, over the very connection that carries the act.
  - Writes down what heals it, synced, before anything is done, in the ledger of the run and on the node itself.
  - A timer on the node heals by itself if nobody comes.
  - A fault whose effect is not proved is healed at once, and the task fails.
author: The e2e-ansible authors !UNKNOWN
options:
  phase:
    description:
      - C(inject) injects a fault of the shell, C(heal) heals all that is open on the node.
      - C(intend) writes down a fault that a role is about to do, C(note) an act that nothing heals.
      - C(hold) lets time pass.
      - >-
        C(verify) tells whether a run that died has done the act of a role already, by the boot that the ledger has;
        outside of a step that is taken up it finds nothing.
    type: str
    required: true
    choices: [inject, heal, intend, note, hold, verify]
  fault:
    description: Which fault; C(e2e-ansible) lists them in docs/faults.md.
    type: str
    default: ""
  options:
    description: Its options.
    type: dict
    default: {}
  targets:
    description: All nodes that were chosen, for a fault that needs to know the other ones.
    type: list
    elements: str
    default: []
  id:
    description: Id of the fault, by default that of the step; with C(note) the one that C(intend) has returned.
    type: str
    default: ""
  name:
    description: Name of the fault; with C(heal) only faults of this name.
    type: str
    default: ""
  expires_seconds:
    description: After how many seconds the node heals it by itself.
    type: float
    default: 3600
  seconds:
    description: How long C(hold) takes, and how long C(verify) waits for a node that does not answer.
    type: float
    default: 0
  proved:
    description: With C(note), whether the act was proved; left out before it.
    type: bool
  message:
    description: With C(note), how it was proved.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Nothing is done.
"""

EXAMPLES = r"""
- name: Cut the node off
  fault:
    phase: inject
    fault: partition
  become: true

- name: Heal all that is open
  fault:
    phase: heal
  become: true
"""

RETURN = r"""
e2e_proof:
  description: What was proved and how.
  returned: when it could be looked at
  type: dict
fault_id:
  description: Id of the fault in the ledger.
  returned: with inject and intend
  type: str
healed:
  description: What was healed, one sentence each.
  returned: with heal
  type: list
role:
  description: The role that does it.
  returned: with intend
  type: str
variables:
  description: Variables of that role.
  returned: with intend
  type: dict
"""
