"""Checks that the database of a test can be had, before anything starts: packages of its version, or its connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from e2e_ansible.compile.plan import Plan
from e2e_ansible.errors import ProviderError, UsageError
from e2e_ansible.load.address import address
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.releases import Release, release_of_test

__all__ = ["from_pgdg", "unmet_connections", "unmet_versions"]


def unmet_versions(plans: Sequence[Plan]) -> Iterator[str]:
    """Which tests want a PostgreSQL that cannot be had, as sentences. The repository is asked once for each release.

    Only of images that are made on this machine; others take their packages from elsewhere.
    """
    said: dict[Release, str] = {}
    for plan in plans:
        release = from_pgdg(plan.provider, plan.parameters)
        if release is None or _is_built(plan.provider, release):
            continue
        if release not in said:
            said[release] = _not_offered(release)
        if said[release]:
            yield f"{plan.source}: test {plan.name}: {said[release]}"


def unmet_connections(plans: Sequence[Plan]) -> Iterator[str]:
    """Which tests say no connection string that can be used, as sentences; never the string itself."""
    for plan in plans:
        if trouble := _connection(plan):
            yield f"{plan.source}: test {plan.name}: {trouble}"


def from_pgdg(provider: str, parameters: Mapping[str, object]) -> Release | None:
    """The release of nodes whose PostgreSQL comes from the repository PGDG; None where Debian has it."""
    release = release_of_test(provider, parameters)
    return release if release is not None and release.pgdg else None


def _is_built(provider: str, release: Release) -> bool:
    # Most tests need none of this, and every command that starts reads this file.
    from e2e_ansible.providers.libvirt.image import image_key as of_libvirt
    from e2e_ansible.providers.local.image import image_key as of_local

    key = of_local(release) if provider == "local" else of_libvirt(release)
    return (default_home().resolve() / "images" / key).is_dir()


def _not_offered(release: Release) -> str:
    from e2e_ansible.providers.pgdg import offered

    debian = "Debian 12 has 15, Debian 13 has 17"
    try:
        there = offered(release.suite, default_home())
    except ProviderError as error:
        return f"PostgreSQL {release.pgdg} comes from PGDG only ({debian}), and {error}"
    if release.pgdg in there:
        return ""
    return f"PostgreSQL {release.pgdg} is not in PGDG for {release.suite}; there are {', '.join(there) or 'none'}"


def _connection(plan: Plan) -> str:
    """What is wrong with the place or the form of a connection string; never the string itself."""
    connection = plan.parameters.get("connection")
    if not connection:
        return ""
    try:
        address({"connection": connection}, {})
    except UsageError as error:
        return f"{error}; {error.hint}" if error.hint else str(error)
    return ""
