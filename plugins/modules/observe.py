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
  - The only change on the node is one committed logical message, which proves that writes are confirmed; and with
    I(amcheck) the extension of that name.
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
  patroni:
    description: Ask the REST API of Patroni on the node, and the member of etcd beside it.
    type: bool
    default: false
  services:
    description:
      - Look at backups, exporter and proxy on the node.
      - Where a proxy is, one logical message is committed through it from the controller.
    type: bool
    default: false
  exporter:
    description: Of the services look at the exporter.
    type: bool
    default: false
  backup:
    description: Of the services look at the backups.
    type: bool
    default: false
  load:
    description:
      - Read how busy the node is; processor, memory, the disk with the data, a restore by pgBackRest that is under way.
      - The processor is read as counters. Two looks give how busy it was between them.
    type: bool
    default: false
  system:
    description: Ask the service manager for its state and for units that failed.
    type: bool
    default: true
  read_only:
    description: Commit no message. Whether PostgreSQL takes writes is then not known.
    type: bool
    default: false
  amcheck:
    description:
      - Run amcheck over all tables and B-trees, and compare the checksum of every block that lies on disk.
      - On the primary the extension amcheck is added to each database that has it not.
    type: bool
    default: false
  amcheck_seconds:
    description: How long that may take, beside the time of the rest. What was not read by then is not known.
    type: float
    default: 60.0
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
