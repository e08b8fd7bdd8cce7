#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plain_script
short_description: Run a script of a role at the cost of one command
description:
  - Runs a script for C(/bin/sh) over the connection itself. It is sent with the command, nothing is copied before or
    removed afterwards, and the target needs no Python.
  - It has no terminal and no standard input. Standard output and error output are kept apart.
author: The e2e-ansible authors !UNKNOWN
options:
  script:
    description: The script, in C(files) of the role or beside the playbook; at most 128 KiB.
    type: str
    required: true
  argv:
    description: Its arguments, each as it is written.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: none
    description: Runs the script in check mode too; tell it by an argument.
"""

EXAMPLES = r"""
- name: Install what is missing
  plain_script:
    script: install.sh
    argv: [apply, "600", tree]
"""

RETURN = r"""
rc:
  description: Exit status of the script.
  returned: always
  type: int
stdout:
  description: What it printed, without line ends at its end.
  returned: always
  type: str
stderr:
  description: What it printed on its error output.
  returned: always
  type: str
"""
