# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists the nodes of one deployment of a provider, stopped ones included."""

from __future__ import annotations

DOCUMENTATION = r"""
name: e2e
short_description: Nodes of a deployment made by this project
description:
  - Lists every node of one deployment with its variables and its power state, whether it is on or not.
  - Planned nodes that were not created yet are listed as well, with the power state V(absent).
  - Files end in C(.e2e.yml) or C(.e2e.yaml).
  - With O(cache) the provider is not asked each time. An answer from before a step that this controller did to the
    deployment is never used, and neither is any by C(refresh_inventory).
author: The e2e-ansible authors !UNKNOWN
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: V(e2e) beside this repository's C(ansible.cfg), V(e2e_ansible.core.e2e) from the collection.
    type: str
    required: true
    choices: [e2e, e2e_ansible.core.e2e]
  provider:
    description: Name of the provider that made the nodes.
    type: str
    default: local
    env:
      - name: E2E_PROVIDER
  deployment:
    description:
      - Id of the deployment. Without it the only deployment of the provider is taken; several are an error.
    type: str
    default: ''
    env:
      - name: E2E_DEPLOYMENT
  nodes:
    description: Planned nodes, each with O(nodes[].name) and O(nodes[].labels). An empty list plans none.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the node.
        type: str
        required: true
      labels:
        description: Labels of the node; each is a group.
        type: list
        elements: str
        default: [database]
"""

EXAMPLES = r"""
# inventories/local.e2e.yml
plugin: e2e
provider: local

# A plan, usable before the nodes exist
# plugin: e2e
# provider: local
# deployment: demo
# nodes:
#   - name: n11
#     labels: [database, site_a]
"""

import difflib  # noqa: E402  # Ansible wants its documentation first
import time  # noqa: E402
from collections.abc import Iterable, Sequence  # noqa: E402
from typing import Any  # noqa: E402

from ansible.errors import AnsibleParserError  # noqa: E402
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable  # noqa: E402

try:
    from pydantic import ValidationError

    from e2e_ansible.errors import E2EError
    from e2e_ansible.nodes.freshness import touched_at
    from e2e_ansible.nodes.observation import PowerState
    from e2e_ansible.providers.base import Node, NodeSpec, Provider
    from e2e_ansible.providers.registry import get_provider
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

try:
    from ansible.template import trust_as_template
except ImportError:  # before ansible-core 2.19 every string is a template
    trust_as_template = None

_SUFFIXES = (".e2e.yml", ".e2e.yaml")
_OPTIONS = (
    "plugin",
    "provider",
    "deployment",
    "nodes",
    "strict",
    "compose",
    "groups",
    "keyed_groups",
    "leading_separator",
    "use_extra_vars",
    "cache",
    "cache_plugin",
    "cache_timeout",
    "cache_connection",
    "cache_prefix",
)
_TEMPLATE_MARKS = ("{{", "{%", "{#", "#jinja2")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Groups: e2e_nodes, one for each label, and power_on, power_off, power_absent or power_unknown."""

    NAME = "e2e"

    def verify_file(self, path: str) -> bool:
        """Only files that end as this plugin's do."""
        return bool(super().verify_file(path)) and path.endswith(_SUFFIXES)

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill the inventory; whatever is wrong with the file or the provider is one parser error."""
        if MISSING:
            text = f"{path}: the Python package e2e-ansible is needed beside Ansible: {MISSING}"
            raise AnsibleParserError(text) from MISSING
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        _refuse_unknown(path, config)
        for name in ("e2e_nodes", "power_on", "power_off", "power_absent"):
            self.inventory.add_group(name)
        try:
            planned = _planned(self.get_option("nodes"))
            provider = get_provider(self.get_option("provider"))
            deployment, known = self._known(path, provider, planned="nodes" in config, cache=cache)
        except (E2EError, OSError) as error:
            hint = f" ({error.hint})" if getattr(error, "hint", "") else ""
            raise AnsibleParserError(f"{path}: {error}{hint}") from error
        except ValidationError as error:
            raise AnsibleParserError(f"{path}: nodes must be a list of name and labels: {error}") from error
        for node in _all(known, planned):
            self._add(node, provider.name, deployment)

    def _known(
        self, path: str, provider: Provider, *, planned: bool, cache: bool
    ) -> tuple[str, Sequence[Node]]:
        """The deployment and its nodes, by the provider's word or by one that is remembered and still holds."""
        self.load_cache_plugin()
        asked = self.get_option("deployment")
        key = f"{self.get_cache_key(path)}_{provider.name}_{asked}"
        wanted = self.get_option("cache")
        remembered = _remembered(self._cache.get(key), provider.name) if wanted and cache else None
        if remembered is not None:
            return remembered
        at = time.time()
        deployment = _deployment(provider, asked, planned)
        known = provider.nodes(deployment) if deployment in provider.deployments() else ()
        if wanted:
            nodes = [node.model_dump(mode="json") for node in known]
            self._cache[key] = {"at": at, "deployment": deployment, "nodes": nodes}
        return deployment, known

    def _add(self, node: Node, provider: str, deployment: str) -> None:
        self.inventory.add_host(node.name, group="e2e_nodes")
        for group in (*node.labels, f"power_{node.power}"):
            self.inventory.add_child(self.inventory.add_group(group), node.name)
        variables = {
            "e2e_provider": provider,
            "e2e_deployment": deployment,
            **node.variables,
            "e2e_power": node.power.value,
            "e2e_labels": list(node.labels),
        }
        for key, value in variables.items():
            self.inventory.set_variable(node.name, key, _trusted(value))
        self._construct(node.name)

    def _construct(self, host: str) -> None:
        strict = self.get_option("strict")
        self._set_composite_vars(
            self.get_option("compose"), self.inventory.get_host(host).get_vars(), host, strict=strict
        )
        variables = self.inventory.get_host(host).get_vars()
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)


def _remembered(entry: Any, provider: str) -> tuple[str, Sequence[Node]] | None:
    """What an earlier look saw; None when there was none, or something was done to the deployment since."""
    try:
        deployment = str(entry["deployment"])
        if touched_at(provider, deployment) >= float(entry["at"]):
            return None
        return deployment, [Node.model_validate(node) for node in entry["nodes"]]
    except (TypeError, KeyError, ValueError):  # a ValidationError is a ValueError
        return None


def _refuse_unknown(path: str, config: Any) -> None:
    for key in config:
        if key in _OPTIONS:
            continue
        near = difflib.get_close_matches(str(key), _OPTIONS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_OPTIONS)}"
        raise AnsibleParserError(f"{path}: unknown option {str(key)!r}, {hint}")


def _planned(entries: Iterable[Any]) -> tuple[NodeSpec, ...]:
    return tuple(NodeSpec.model_validate(entry) for entry in entries or ())


def _deployment(provider: Provider, asked: str, planned: bool) -> str:
    """The deployment to list, '' when there is none."""
    ids = sorted(provider.deployments())
    if asked:
        if asked not in ids and not planned:
            near = difflib.get_close_matches(asked, ids, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(ids) or 'none'}"
            raise AnsibleParserError(
                f"provider {provider.name} has no deployment {asked!r} and no nodes are planned, {hint}"
            )
        return asked
    if len(ids) > 1 and not planned:
        raise AnsibleParserError(
            f"provider {provider.name} has several deployments, "
            f"choose one by the option deployment or the variable E2E_DEPLOYMENT: {', '.join(ids)}"
        )
    return ids[0] if len(ids) == 1 else ""


def _all(known: Iterable[Node], planned: Iterable[NodeSpec]) -> list[Node]:
    """Known nodes first, then planned ones that are not there yet."""
    nodes = list(known)
    names = {node.name for node in nodes}
    absent = [
        Node(name=spec.name, labels=spec.labels, power=PowerState.ABSENT)
        for spec in planned
        if spec.name not in names
    ]
    return [*nodes, *absent]


def _trusted(value: Any) -> Any:
    """Mark plain strings, else they are exported as unsafe text; text with template marks stays inert."""
    if isinstance(value, dict):
        return {key: _trusted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_trusted(item) for item in value]
    plain = isinstance(value, str) and not any(mark in value for mark in _TEMPLATE_MARKS)
    return trust_as_template(value) if plain and trust_as_template else value
