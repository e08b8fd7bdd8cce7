#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plain_command
short_description: Run a command at the cost of its connection
description:
  - Runs a list of arguments over the connection itself, so the target needs no Python and pays for none.
  - Each argument reaches the program as it is written; there is no shell, no expansion and no standard input.
  - Standard output and error output are kept apart, which C(ansible.builtin.raw) does not do over ssh.
  - The target ends the command after O(timeout_seconds), also when the controller is gone by then.
author: The e2e-ansible authors !UNKNOWN
options:
  argv:
    description: The program and its arguments.
    type: list
    elements: str
    required: true
  chdir:
    description: The folder to run it in.
    type: str
  timeout_seconds:
    description: When C(timeout) of GNU coreutils on the target sends SIGTERM, and SIGKILL 5 s later.
    type: int
    required: true
attributes:
  check_mode:
    support: none
    description: Runs the command in check mode too.
"""

EXAMPLES = r"""
- name: Look at the disk
  plain_command:
    argv: [df, --human-readable, /]
    timeout_seconds: 10
  register: disk
"""

RETURN = r"""
cmd:
  description: The program and its arguments.
  returned: always
  type: list
rc:
  description: Exit status of the command.
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
delta:
  description: Time of the command with the way to the target and back.
  returned: always
  type: str
"""
