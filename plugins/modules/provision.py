#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: provision
short_description: Make or remove the nodes of a deployment
description:
  - Calls the provider on the controller; run it once, on localhost.
author: The e2e-ansible authors !UNKNOWN
options:
  state:
    description: V(prepared) fixes names and addresses, V(present) creates and starts, V(absent) removes.
    type: str
    default: present
    choices: [prepared, present, absent]
  provider:
    description: Name of the provider.
    type: str
    required: true
  deployment:
    description: Id of the deployment.
    type: str
    required: true
  nodes:
    description: The nodes, each with name and labels; may be left out when the deployment is prepared.
    type: list
    elements: dict
    default: []
  parameters:
    description: Parameters of the provider.
    type: dict
    default: {}
  owner:
    description: Folder of the run that owns the deployment.
    type: str
    default: ''
attributes:
  check_mode:
    support: full
    description: Tells what would change.
"""

EXAMPLES = r"""
- name: Make two nodes
  provision:
    provider: local
    deployment: demo
    nodes:
      - name: n11
      - name: n12
"""

RETURN = r"""
nodes:
  description: Name, labels, power state and address of each node.
  returned: success
  type: list
"""
