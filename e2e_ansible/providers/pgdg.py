"""The repository of the PostgreSQL project (PGDG): what it has, and how an image gets PostgreSQL from there."""

from __future__ import annotations

import gzip
import json
import os
import platform
import re
import shlex
import time
import zlib
from pathlib import Path

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import ProviderError, UsageError
from e2e_ansible.providers.mirror import mirror_of
from e2e_ansible.providers.releases import Release

__all__ = ["KEY", "MIRROR", "address", "image_hooks", "offered"]

#: Environment variables: another address of the repository, and the file of the key that signs it there.
MIRROR, KEY = "E2E_PGDG_MIRROR", "E2E_PGDG_KEY"

_ADDRESS = "https://apt.postgresql.org/pub/repos/apt"
#: Debian's package postgresql-common brings the key of the project; a node trusts what Debian signed.
_KEY_OF_DEBIAN = "/usr/share/postgresql-common/pgdg/apt.postgresql.org.asc"
_KEY_OF_USER = "/etc/apt/keyrings/e2e-pgdg.asc"
_SOURCE = "/etc/apt/sources.list.d/e2e-pgdg.list"
_WORD = re.compile(r"https?://[A-Za-z0-9._~:/%@\[\]-]+")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_SERVER = re.compile(rb"^Package: postgresql-(\d+)$", re.M)
_PROBE_SECONDS = 15.0
_CONNECT_SECONDS = 5.0
_MOST_BYTES = 64 * 1024**2
_CHUNK = 256 * 1024
_FRESH_SECONDS = 3600.0


def address() -> str:
    """Where the repository is: `$E2E_PGDG_MIRROR`, else that of the project.

    Raises:
        UsageError: the variable holds no address, or one with a password.
    """
    given = mirror_of(MIRROR)
    if given and not _WORD.fullmatch(given):
        raise UsageError(
            f"{MIRROR} is no address of a repository", hint="such as https://mirror/pub/repos/apt"
        )
    return given or _ADDRESS


def image_hooks(release: Release) -> tuple[str, ...]:
    """What mmdebstrap does in a tree, so that it has the server of PGDG; nothing where Debian has it.

    pgBackRest and Patroni come from there too, as those of Debian are older than the server.
    """
    if not release.pgdg:
        return ()
    key = os.environ.get(KEY, "")
    copied = (f'install -D -m 644 {shlex.quote(key)} "$1{_KEY_OF_USER}"',) if key else ()
    signed = _KEY_OF_USER if key else _KEY_OF_DEBIAN
    line = f"deb [signed-by={signed}] {address()} {release.suite}-pgdg main"
    packages = f"postgresql-{release.pgdg} pgbackrest patroni"
    return (
        *copied,
        f'echo "{line}" > "$1{_SOURCE}"',
        'chroot "$1" apt-get -qq -o APT::Update::Error-Mode=any update',
        f'chroot "$1" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install {packages}',
    )


def offered(suite: str, home: Path) -> tuple[str, ...]:
    """The major versions that the repository has for a suite of Debian, in order; asked once an hour.

    Raises:
        ProviderError: it cannot be reached, or has nothing for this suite.
    """
    place = f"{address()}/dists/{suite}-pgdg/main/binary-{_architecture()}/Packages.gz"
    kept = home / "cache" / f"pgdg-{zlib.crc32(place.encode()):08x}.json"
    known = _fresh(kept, place)
    if known is None:
        known = _versions(_downloaded(place))
        _keep(kept, place, known)
    return known


def _architecture() -> str:
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def _downloaded(place: str) -> bytes:
    # The image of every run is named with this module; these are needed by few.
    import http.client
    import urllib.error
    import urllib.request

    deadline = Deadline(_PROBE_SECONDS)
    content = b""
    try:
        with urllib.request.urlopen(place, timeout=_CONNECT_SECONDS) as answer:  # http or https only
            while piece := answer.read(_CHUNK):
                content += piece
                if len(content) > _MOST_BYTES or deadline.expired:
                    raise ProviderError(f"{place} took longer than {_PROBE_SECONDS:g} s")
    except urllib.error.HTTPError as error:
        raise ProviderError(f"{place} answers {error.code}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise ProviderError(f"{place} cannot be reached: {reason}") from error
    return content


def _versions(packed: bytes) -> tuple[str, ...]:
    try:
        text = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise ProviderError("the list of packages of PGDG cannot be read") from error
    found = {int(number) for number in _SERVER.findall(text)}
    return tuple(map(str, sorted(found)))


def _fresh(kept: Path, place: str) -> tuple[str, ...] | None:
    try:
        said = json.loads(kept.read_text(encoding="utf-8"))
        age = time.time() - float(said["asked"])
        usable = said["place"] == place and 0 <= age < _FRESH_SECONDS
        return tuple(map(str, said["versions"])) if usable else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(kept: Path, place: str, versions: tuple[str, ...]) -> None:
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = kept.with_name(f"{kept.name}.{os.getpid()}")
    text = json.dumps({"place": place, "asked": time.time(), "versions": versions})
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(kept)
