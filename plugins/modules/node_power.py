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
author: The e2e-ansible authors
options:
  operation:
    description: What to do; V(state) only looks.
    type: str
    default: state
    choices: [state, on, off, hard_off, reboot, reset]
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
"""

RETURN = r"""
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

from ansible.module_utils.basic import AnsibleModule  # noqa: E402


def main() -> None:
    """Only say that this is the work of the action plugin."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.fail_json(msg="node_power needs its action plugin: set action_plugins")


if __name__ == "__main__":
    main()
