#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fetch_folder
short_description: Bring a folder of a node to the controller
description:
  - Copies the files in it and below it, in one archive. A folder that is missing has none, which is no failure.
author: The e2e-ansible authors !UNKNOWN
options:
  src:
    description: Folder on the node.
    type: str
    required: true
  dest:
    description: Folder on the controller, made when it is missing.
    type: str
    required: true
attributes:
  check_mode:
    support: none
    description: It is skipped.
"""

EXAMPLES = r"""
- name: Bring the coverage
  fetch_folder:
    src: /var/lib/e2e-coverage
    dest: coverage/n11
"""

RETURN = r"""
files:
  description: How many files there were.
  returned: success
  type: int
"""
