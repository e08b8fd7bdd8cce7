#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plain_files
short_description: Write small text files at the cost of two commands
description:
  - Looks at files over the connection itself and writes those that differ.
  - The target needs no Python and pays for none.
  - What is written goes through the standard input of a shell; no list of processes has it.
  - A file is whole or as it was before. Folders are not made.
author: The e2e-ansible authors !UNKNOWN
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      dest:
        description: Path on the target.
        type: str
        required: true
      content:
        description: Its text.
        type: str
        required: true
      block:
        description:
          - Name of a block. Only the lines between C(# BEGIN) and C(# END) with this name are written, as
            C(ansible.builtin.blockinfile) marks them; a new block comes first in the file.
        type: str
        default: ""
      owner:
        description: Name of its owner.
        type: str
        default: root
      group:
        description: Name of its group.
        type: str
        default: root
      mode:
        description: Its mode, octal.
        type: str
        default: "0644"
attributes:
  check_mode:
    support: full
    description: Tells what would change.
  diff_mode:
    support: full
    description: Tells the difference of each file.
"""

EXAMPLES = r"""
- name: Greet
  plain_files:
    files:
      - dest: /etc/motd
        content: "Hello\n"
"""

RETURN = r"""
diff:
  description: The difference of each file that is written.
  returned: with C(--diff)
  type: list
  elements: dict
"""
