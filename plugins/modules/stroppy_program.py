#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stroppy_program
short_description: Make Stroppy be on the controller or on a node
description:
  - Takes the program from a release, an archive, or builds it by Go, once on the controller, and copies it to the node.
  - Just one of O(url), O(archive) and O(commit) is given.
author: The e2e-ansible authors !UNKNOWN
options:
  url:
    description: Address of a release; needs O(sha256).
    type: str
    default: ''
  sha256:
    description: SHA-256 of the file at O(url), or of O(archive).
    type: str
    default: ''
  archive:
    description: A tar.gz on the controller with one file V(stroppy), or the program itself.
    type: str
    default: ''
  commit:
    description: Commit or pseudo-version of its Go module.
    type: str
    default: ''
  coverage:
    description: Build it so that it notes which of its lines ran.
    type: bool
    default: false
  folder:
    description: Folder on the controller that a relative O(archive) starts in.
    type: str
    default: ''
  path:
    description: Where it is installed on the node.
    type: str
    default: /usr/local/bin/stroppy
  state:
    description:
      - V(built) makes it on the controller, V(loaded) copies it to the store of the node, V(present) installs it.
    type: str
    default: present
    choices: [built, loaded, present]
  machine:
    description: Of state V(built), what C(uname -m) says on the nodes; by default that of the controller.
    type: str
    default: ''
attributes:
  check_mode:
    support: full
    description: Tells what would change; nothing is fetched or built.
"""

EXAMPLES = r"""
- name: Install a release
  stroppy_program:
    archive: "{{ playbook_dir }}/stroppy_linux_amd64.tar.gz"
"""

RETURN = r"""
sha256:
  description: SHA-256 of the program; empty when it would have to be made in check mode.
  returned: success
  type: str
source:
  description: Where it came from.
  returned: success
  type: str
version:
  description: What the installed program says of itself, in one line.
  returned: on nodes
  type: str
machine:
  description: What the node says of its processor.
  returned: on nodes
  type: str
"""
