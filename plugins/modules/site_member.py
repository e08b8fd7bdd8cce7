#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: site_member
short_description: Give a member of a Patroni cluster its part in a pair of sites
description:
  - Runs on every member of a site at once; whichever leads does what is to be done, and all see how it ends.
  - V(standby) and V(fenced) stop a server that takes writes cleanly. With V(standby) it is not done before the other
    site has replayed the last byte that the server wrote, by its position in the WAL.
  - V(primary) is refused while the other site takes writes or does not answer, and waits for all that it has.
  - V(removed) stops Patroni for good and removes the data, V(forgotten) what etcd knows of the cluster.
  - V(restored) begins it as a standby made of the newest backup of pgBackRest and the archive, V(joined) starts a
    further member.
  - Settings, passwords and ports are read on the node, in C(/etc/patroni/config.yml).
author: The e2e-ansible authors !UNKNOWN
options:
  state:
    description: What is to be.
    type: str
    required: true
    choices: [primary, standby, fenced, removed, forgotten, restored, joined]
  site:
    description: Name of the site, for messages.
    type: str
    required: true
  members:
    description: Its members, name to address.
    type: dict
    required: true
  other_site:
    description: Name of the other site, for messages.
    type: str
    required: true
  others:
    description: The members of the other site, name to address.
    type: dict
    required: true
  port:
    description: TCP port of the servers of the other site.
    type: int
    default: 5432
  force:
    description: With V(primary) do not ask the other site. Rows that only it has are lost.
    type: bool
    default: false
  stanza:
    description: Stanza of pgBackRest, for V(restored).
    type: str
    default: main
  deadline_seconds:
    description: How long it may take.
    type: float
    default: 120
"""

EXAMPLES = r"""
- name: Let the site take over
  site_member:
    state: primary
    site: site_b
    members: {n12: 192.0.2.12}
    other_site: site_a
    others: {n11: 192.0.2.11}
"""

RETURN = r"""
e2e_proof:
  description: What was proved and how.
  returned: always, but in check mode
  type: dict
  contains:
    act:
      description: The site and the state.
      type: str
    proved:
      description: Whether it was proved by the deadline.
      type: bool
    how:
      description: What proved it, or what was missing at the end.
      type: str
    seconds:
      description: How long it took on the node.
      type: float
"""
