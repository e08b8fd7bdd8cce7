"""What nodes are for: the labels that decide where work goes. Each label is a group of the inventory as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from e2e_ansible.names import suggestion
from e2e_ansible.suite.part import WrongPart

__all__ = [
    "CLIENT",
    "DATABASE",
    "LABEL_PATTERN",
    "RUN_STROPPY",
    "SETUP_SOFTWARE",
    "check_labels",
    "check_site",
    "labels_of",
    "node_names",
]

#: Has a database, or is to get one.
DATABASE = "database"
#: Only drives load.
CLIENT = "client"
#: Software can be installed on it, which is true of all.
SETUP_SOFTWARE = "setup_software"
#: Where Stroppy runs when a step does not say: on the clients, and wherever a suite says.
RUN_STROPPY = "run_stroppy"

#: What may be a group of Ansible and a tag at every cloud.
LABEL_PATTERN = r"^[a-z][a-z0-9_]{0,39}$"

_BUILT_IN = (DATABASE, CLIENT, SETUP_SOFTWARE, RUN_STROPPY)
_FIXED = {
    DATABASE: "it decides what is installed: use cluster_size and clients",
    CLIENT: "it decides what is installed: use cluster_size and clients",
    SETUP_SOFTWARE: "every node has it",
}
_GROUPS = ("all", "ungrouped", "e2e_nodes", "localhost")
_POWER = "power_"
_FIRST = 11


def node_names(servers: int, clients: int) -> tuple[str, ...]:
    """The nodes of a test in order: n11, n12, ..., then those that only drive load: c11, c12, ..."""
    return (
        *(f"n{_FIRST + index}" for index in range(servers)),
        *(f"c{_FIRST + index}" for index in range(clients)),
    )


def labels_of(
    sites: Sequence[tuple[str, ...]], clients: int, more: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """The labels of every node in order. `sites` has the site of each server, or (); `more` is what a suite adds."""
    own: list[tuple[str, ...]] = [(DATABASE, *site) for site in sites]
    own += [(CLIENT, RUN_STROPPY)] * clients
    names = node_names(len(sites), clients)
    return {
        name: tuple(
            dict.fromkeys(
                (*labels, *(label for label, nodes in more.items() if name in nodes), SETUP_SOFTWARE)
            )
        )
        for name, labels in zip(names, own, strict=True)
    }


def check_site(site: str) -> None:
    """A site is a label of its nodes, so it is none of the other labels.

    Raises:
        ValueError: it is one.
    """
    if site in _BUILT_IN:
        raise ValueError(f"{site} is a label of other nodes, so it cannot be the name of a site")


def check_labels(
    labels: Mapping[str, Sequence[str]], nodes: Sequence[str] | None, sites: Iterable[str]
) -> None:
    """Labels that a suite adds, and the nodes that get them; `nodes` is None where they are not known.

    Raises:
        WrongPart: one is a label or a group already, or is for a node that the test does not have.
    """
    sites = tuple(sites)
    for label, named in labels.items():
        if label in _FIXED:
            text = f"the label {label} cannot be given to nodes"
            raise WrongPart(text, (label,), hint=_FIXED[label], of_key=True)
        if label in sites:
            text = f"{label} is a site, and its label is that of its nodes"
            raise WrongPart(text, (label,), of_key=True)
        if label in _GROUPS or label.startswith(_POWER) or label in (nodes or ()):
            text = f"{label} is a group or a node of the inventory, so it cannot be a label"
            raise WrongPart(text, (label,), of_key=True)
        for index, node in enumerate(named):
            if nodes is not None and node not in nodes:
                text = f"label {label}: this test has no node {node!r}"
                raise WrongPart(text, (label, index), hint=suggestion(node, nodes))
