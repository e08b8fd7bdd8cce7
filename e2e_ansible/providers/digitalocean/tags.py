"""Our tags as DigitalOcean has them: each is one word, and stays when what carried it is gone."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.providers.cloud.machine import (
    ADDRESS_TAG,
    DEPLOYMENT_TAG,
    EXPIRES_TAG,
    LABEL_TAG,
    NODE_TAG,
    OWNER_TAG,
    RUN_TAG,
)

__all__ = ["flat", "owner", "read_tags", "value"]

_NAMES = {ADDRESS_TAG, EXPIRES_TAG, NODE_TAG, OWNER_TAG, RUN_TAG}


def flat(name: str, value: str, deployment: str) -> str:
    """A tag as one word. All but that of the deployment end in its id: so each belongs to one, and goes with it."""
    return f"{name}:{value}" if name == DEPLOYMENT_TAG else f"{name}:{value}:{deployment}"


def owner(tag: str) -> str:
    """The deployment of a flat tag, '' when the tag is not ours."""
    name, *values = tag.split(":")
    if name == DEPLOYMENT_TAG:
        return values[0] if len(values) == 1 else ""
    ours = name in _NAMES or name.startswith(LABEL_TAG)
    return values[1] if ours and len(values) == 2 else ""


def value(tag: str) -> str:
    """What a flat tag of ours holds."""
    return tag.split(":")[1]


def read_tags(tags: Sequence[str]) -> dict[str, str]:
    """Those of a Droplet that are ours."""
    return {tag.split(":")[0]: value(tag) for tag in tags if owner(tag)}
