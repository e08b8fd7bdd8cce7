"""Which release of Debian has which PostgreSQL, and what comes from the repository of the project itself (PGDG)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "DEFAULT_SUITE",
    "OWN_IMAGE_PROVIDERS",
    "VERSIONS",
    "Release",
    "debian_suite",
    "release_of",
    "release_of_test",
    "server_version",
]

#: Major versions that can be asked for.
VERSIONS = ("13", "14", "15", "16", "17", "18")
DEFAULT_SUITE = "bookworm"
#: Providers whose image is made here, unless a test names another one.
OWN_IMAGE_PROVIDERS = ("local", "libvirt")

#: What a release of Debian brings with itself.
_IN_DEBIAN = {"bullseye": "13", "bookworm": "15", "trixie": "17"}
#: Names of releases that have no fixed version.
_MOVING = frozenset({"stable", "testing", "unstable", "sid"})
#: Without a word of the user one of these is taken.
_CHOSEN = ("bookworm", "trixie")
_OWN_DISK = "debian"


@dataclass(frozen=True)
class Release:
    """What an image is made of: a suite of Debian, and the major version that PGDG adds, or ''."""

    suite: str = DEFAULT_SUITE
    pgdg: str = ""

    @property
    def version(self) -> str:
        """The major version of PostgreSQL that a server of it has; '' where it is not known."""
        return self.pgdg or _IN_DEBIAN.get(self.suite, "")


def debian_suite(image: str) -> str:
    """The image of a test where it names a release of Debian; '' where it is in the words of some cloud."""
    return image if image in _IN_DEBIAN or image in _MOVING else ""


def release_of(version: str = "", suite: str = "") -> Release:
    """The release for a major version ('' is the newest that is there); `suite` is what a user wants it to be.

    >>> release_of("17"), release_of("16"), release_of("17", "bookworm")
    (Release(suite='trixie', pgdg=''), Release(suite='bookworm', pgdg='16'), Release(suite='bookworm', pgdg='17'))
    """
    if suite:
        own = _IN_DEBIAN.get(suite, version)
        return Release(suite, version if version not in ("", own) else "")
    for chosen in _CHOSEN:
        if version in ("", _IN_DEBIAN[chosen]):
            return Release(chosen)
    return Release(DEFAULT_SUITE, version)


def release_of_test(provider: str, parameters: Mapping[str, object]) -> Release | None:
    """The release of the nodes of a test, None where the provider has its own images or the test names a disk."""
    if provider not in OWN_IMAGE_PROVIDERS:
        return None
    image = str(parameters.get("image") or "")
    if provider == "libvirt" and image not in ("", _OWN_DISK):
        return None
    return release_of(str(parameters.get("postgres_version") or ""), debian_suite(image))


def server_version(provider: str, parameters: Mapping[str, object]) -> str:
    """The major version that the servers of a test will have; '' where only they know it."""
    release = release_of_test(provider, parameters)
    return str(parameters.get("postgres_version") or "") or (release.version if release else "")
