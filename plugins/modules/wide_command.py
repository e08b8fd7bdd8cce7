#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: wide_command
short_description: Run a command on all hosts of a play at once
description:
  - Does what C(plain_command) does on each host, in one task for all, as many at a time as there are forks, 50 at most.
  - Connections are made as Ansible would make them, from the same variables and settings, and share its ssh masters.
  - When a host needs more than this, nothing is run and RV(done) is false, for C(plain_command) to come next. That is a
    connection other than ssh, a password, privilege escalation other than sudo without password, or a value that cannot
    be resolved; and for the whole task a loop, C(until), C(async), C(delegate_to), C(no_log), C(timeout),
    C(ignore_unreachable) or a play with C(serial).
  - The task fails when one host does; then Ansible ends the play for all of them.
  - With C(-v) the result of every host is shown.
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
  bypass_host_loop:
    support: full
    description: Runs once for all hosts of the batch.
  check_mode:
    support: none
    description: Runs the command in check mode too.
"""

EXAMPLES = r"""
- name: Look at the disks
  wide_command:
    argv: [df, --human-readable, /]
    timeout_seconds: 10
  register: disks

- name: End the play if that was done
  ansible.builtin.meta: end_play
  when: disks.done

- name: Look at the disks one by one
  plain_command:
    argv: [df, --human-readable, /]
    timeout_seconds: 10
"""

RETURN = r"""
done:
  description: Whether the command was run; if not, it was run nowhere.
  returned: always
  type: bool
failed_hosts:
  description: Hosts where it ended with another status than 0.
  returned: if done
  type: list
unreachable_hosts:
  description: Hosts that could not be reached.
  returned: if done
  type: list
"""
