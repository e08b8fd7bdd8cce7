#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: load
short_description: Run a load tool and bring back what it measured
description:
  - Runs a program over the connection itself, in a folder of its own that is removed, with the address of the
    database in the variables of libpq. The target needs a shell and GNU coreutils, no Python.
  - All that is sent goes by standard input. The password is only in a file that nobody but its owner can read, in
    the variable C(PGPASSFILE).
  - C(@URL@), C(@HOST@), C(@HOSTS@), C(@PORT@), C(@USER@), C(@DATABASE@) and C(@FOLDER@) in arguments, variables and
    files stand for the address and the folder, C(@PASSWORD@) in files for the password.
  - The program is ended after O(timeout_seconds), and when nobody waits for it any more.
author: The e2e-ansible authors !UNKNOWN
options:
  tool:
    description: Name of the tool, whose reader makes a result of what it printed.
    type: str
    required: true
  argv:
    description: The program and its arguments.
    type: list
    elements: str
    required: true
  timeout_seconds:
    description: When C(timeout) of GNU coreutils on the target sends SIGTERM, and SIGKILL 5 s later.
    type: int
    required: true
  env:
    description: Variables of its environment.
    type: dict
    default: {}
  files:
    description: Files in its folder, name to text, with mode 0600.
    type: dict
    default: {}
  copies:
    description: Files in its folder, name to the path of a text file on the controller.
    type: dict
    default: {}
  copies_from:
    description: The folder on the controller that paths in O(copies) begin at.
    type: str
    default: "."
  programs:
    description: Files in its folder, name to the module of C(e2e_ansible.load) whose text it has.
    type: dict
    default: {}
  workload:
    description: What it does, for the result.
    type: str
    default: ""
  database:
    description:
      - Either C(hosts), names of the inventory, with C(port), C(user) and C(name), the database.
      - Or C(connection), a mapping with C(env), the name of a variable, or C(file), a path, on the controller.
    type: dict
    default: {}
  keep:
    description: Names of files that it writes into its folder and that are brought back.
    type: list
    elements: str
    default: []
  after:
    description: A program that is run in its folder when it has ended, such as one that makes a long log short.
    type: list
    elements: str
    default: []
  measure:
    description: Whether it measures. If not, a status other than 0 is a failure of the task.
    type: bool
    default: true
  artifacts:
    description: Name of the folder for its outputs in the folder of the step; by default that of the tool.
    type: str
    default: ""
attributes:
  check_mode:
    support: none
    description: Runs the program in check mode too.
"""

EXAMPLES = r"""
- name: Run pgbench for a minute
  load:
    tool: pgbench
    argv: [pgbench, --time=60, --client=8]
    timeout_seconds: 90
    database:
      hosts: [n11, n12]
      name: load
"""

RETURN = r"""
e2e_load:
  description: One run of the tool as it was. Of long texts the two ends; they are whole in the folder of the step.
  returned: if it measures
  type: dict
exit_code:
  description: Exit status of the program.
  returned: if it does not measure
  type: int
kept:
  description: Name of the folder with its outputs in the folder of the step.
  returned: always
  type: str
"""
