#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: observe
short_description: Look at one node without ever failing because it is away
description:
  - Asks the provider for the power state and the node for its identity, services and PostgreSQL.
  - A node that is away is an answer and no failure. A node that is off is not asked over ssh.
  - The only change on the node is one committed logical message, which proves that writes are confirmed.
author: The e2e-ansible authors !UNKNOWN
options:
  postgres:
    description: Look at PostgreSQL, which needs root on the node.
    type: bool
    default: true
  integrity:
    description: Read the ranges of the table of the integrity writer.
    type: bool
    default: false
  admin_ui:
    description: GET the admin UI from the controller.
    type: bool
    default: false
  admin_ui_port:
    description: Port of the admin UI.
    type: int
    default: 9090
  new_login:
    description:
      - Log in anew. It takes a tenth of a second, and is the only proof that one can.
      - Without it an open connection is used, if the ssh server greets as one that would let somebody in.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Only looks, so it does the same.
"""

EXAMPLES = r"""
- name: Look at the node
  observe:
    integrity: true
  register: look
"""

RETURN = r"""
observation:
  description: What is known about the node; the fields of NodeObservation.
  returned: always
  type: dict
"""
