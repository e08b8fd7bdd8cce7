#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: choose_targets
short_description: Choose the nodes that a fault goes to
description:
  - Resolves a name, a label or a word such as C(primary) from what was just seen of the nodes.
  - Fails when no node, or not enough nodes, are what is asked for. Another node is never taken.
author: The e2e-ansible authors !UNKNOWN
options:
  target:
    description:
      - A node, C(label:X), C(primary), C(replica), C(one), C(minority), C(majority), C(all), C(random) or C(random:N).
    type: str
    required: true
  fault:
    description: Which fault; some are injected on other nodes than their targets.
    type: str
    required: true
  options:
    description: Options of the fault.
    type: dict
    default: {}
  seed:
    description: Seed of what is drawn by chance.
    type: int
  candidates:
    description: The nodes to choose from, in order.
    type: list
    elements: str
    required: true
  look:
    description:
      - Name of the variable in which each node has the result of M(e2e_ansible.core.observe);
        empty if no look is needed.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Only chooses, so it does the same.
"""

EXAMPLES = r"""
- name: Choose the primary
  choose_targets:
    target: primary
    fault: partition
    candidates: "{{ ansible_play_hosts_all }}"
    look: fault_look
  run_once: true
"""

RETURN = r"""
targets:
  description: The nodes that were chosen.
  returned: success
  type: list
hosts:
  description: The nodes that the fault is injected on.
  returned: success
  type: list
reason:
  description: Why these.
  returned: success
  type: str
power:
  description: Whether a role of its own does the fault.
  returned: success
  type: bool
packages:
  description: What must be installed for it.
  returned: success
  type: list
"""
