#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oracle_archive
short_description: Put the client that notes histories on a node
description:
  - Builds one file that Python runs, from the modules of the package e2e-ansible beside Ansible, and copies it.
  - The same package gives the same bytes, so a second run changes nothing.
author: The e2e-ansible authors !UNKNOWN
options:
  dest:
    description: Path of the file on the node; its mode is 0600.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Tells whether the file would change.
"""

EXAMPLES = r"""
- name: Put the client
  oracle_archive:
    dest: /var/lib/e2e-client/load/client.pyz
"""

RETURN = r"""
dest:
  description: Path of the file on the node.
  returned: always
  type: str
"""
