#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: package_store
short_description: Fetch packages once, and make them known to apt on nodes
description:
  - Packages of Debian with all that they need are fetched once to the controller and copied to nodes.
  - There apt can then install them without a network.
author: The e2e-ansible authors !UNKNOWN
options:
  names:
    description: Names of packages.
    type: list
    elements: str
    required: true
  state:
    description: V(built) fetches them to the controller, V(loaded) brings them to the node as well.
    type: str
    default: loaded
    choices: [built, loaded]
  release:
    description:
      - What the image of local nodes is made of; the packages are then fetched in a copy of its tree.
      - Without it the node fetches them the first time.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description: Tells what would change; nothing is fetched.
"""

EXAMPLES = r"""
- name: Have Redis ready to be installed
  package_store:
    names: [redis-server]
"""

RETURN = r"""
key:
  description: Name of the packages in the cache and on the node.
  returned: success
  type: str
file:
  description: The archive on the controller.
  returned: when it is there
  type: str
count:
  description: How many packages are in it.
  returned: success
  type: int
"""
