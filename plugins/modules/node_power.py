#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_power
short_description: Power one node by its provider
description:
  - Acts on the provider and deployment that the host variables C(e2e_provider) and C(e2e_deployment) name.
  - Refuses a host without them, or one that the provider does not list.
author: The e2e-ansible authors !UNKNOWN
options:
  operation:
    description:
      - What to do; V(state) only looks. V(on), V(off) and V(hard_off) do nothing where it is done already.
    type: str
    default: state
      - V(off) and V(reboot) ask the guest; V(hard_off) and V(reset) cut its power, as they do with O(mode=hard).
      - V(nmi) makes the processor of the machine stop what it does, which a kernel may answer by a panic.
      - What the provider cannot do is refused before it is asked; C(e2e-ansible providers) lists it.
    choices: [state, "on", "off", hard_off, reboot, reset, nmi]
  mode:
    description: Whether V(off) and V(reboot) ask the guest or cut its power.
    type: str
    default: graceful
    choices: [graceful, hard]
  deadline_seconds:
    description: How long the provider may take.
    type: float
    default: 300
attributes:
  check_mode:
    support: full
    description: Tells what would change.
"""

EXAMPLES = r"""
- name: Start the node
  node_power:
    operation: "on"

- name: Cut its power
  node_power:
    operation: "off"
    mode: hard
"""

RETURN = r"""
operation:
  description: What was done, in one word.
  returned: success
  type: str
  sample: hard_off
side_effects:
  description: What else is different now, such as another address or a local disk that is lost.
  returned: success
  type: list
  elements: str
address_changed:
  description: Whether the inventory has to be read again, because the node has another address or none.
  returned: success
  type: bool
before:
  description: Power state found.
  returned: success
  type: str
after:
  description: Power state left.
  returned: success
  type: str
detail:
  description: What the provider says.
  returned: success
  type: str
"""
