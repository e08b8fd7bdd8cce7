"""Names of providers and where their drivers are; a driver is imported only when it is asked for."""

from __future__ import annotations

import difflib
import importlib
from typing import cast

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.base import Provider
from e2e_ansible.providers.capabilities import PROVIDERS

__all__ = ["get_provider", "provider_names"]

_DRIVERS = {
    "aws": "e2e_ansible.providers.aws.driver:AwsProvider",
    "hetzner": "e2e_ansible.providers.hetzner.driver:HetznerProvider",
    "digitalocean": "e2e_ansible.providers.digitalocean.driver:DigitalOceanProvider",
    "azure": "e2e_ansible.providers.azure.driver:AzureProvider",
    "gcp": "e2e_ansible.providers.gcp.driver:GcpProvider",
    "libvirt": "e2e_ansible.providers.libvirt.driver:LibvirtProvider",
    "local": "e2e_ansible.providers.local.driver:LocalProvider",
    "openstack": "e2e_ansible.providers.openstack.driver:OpenStackProvider",
    "static": "e2e_ansible.providers.static.driver:StaticProvider",
    "yandex": "e2e_ansible.providers.yandex.driver:YandexProvider",
}


def provider_names() -> tuple[str, ...]:
    """All known providers, sorted."""
    return tuple(sorted(_DRIVERS))


def get_provider(name: str) -> Provider:
    """A new driver for the provider `name`.

    Raises:
        UsageError: there is no such provider, or only its power table; the hint names the nearest one.
    """
    place = _DRIVERS.get(name)
    if place is None and name in PROVIDERS:
        text = f"nodes of provider {name!r} cannot be made yet, its tests can only be planned"
        raise UsageError(text, hint=f"e2e-ansible plan; or --provider {', '.join(provider_names())}")
    if place is None:
        near = difflib.get_close_matches(name.lower(), provider_names(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(provider_names())}"
        raise UsageError(f"there is no provider named {name!r}", hint=hint)
    module, _, attribute = place.partition(":")
    return cast("Provider", getattr(importlib.import_module(module), attribute)())
