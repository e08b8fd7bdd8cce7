"""What a suite says of where Stroppy comes from: a release, an archive, or a commit that Go builds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["StroppySource", "check_source"]

_SOURCES = ("url", "archive", "commit")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{7,40}|v\d+\.\d+\.\d+-[0-9A-Za-z.-]*\d{14}-[0-9a-f]{12}")


class StroppySource(BaseModel):
    """Just one of `url`, `archive` and `commit`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: str | None = Field(None, description="Address of a release, fetched once; needs sha256")
    sha256: str | None = Field(None, description="SHA-256 of the file at url, or of the archive")
    archive: str | None = Field(
        None, description="A tar.gz with one file `stroppy`, or the program itself; relative to the suite"
    )
    commit: str | None = Field(
        None,
        description="Commit or pseudo-version, built once on the controller by Go and copied to the nodes",
    )
    coverage: bool = Field(False, description="With commit: build it so that it notes which of its lines ran")

    @model_validator(mode="after")
    def _just_one(self) -> StroppySource:
        check_source(self.model_dump())
        return self


def check_source(given: Mapping[str, object]) -> None:
    """Refuse what does not say just once, and fully, where Stroppy comes from.

    Raises:
        ValueError: it does not; the message says what is wrong.
    """
    named = [name for name in _SOURCES if given.get(name)]
    if len(named) != 1:
        said = f"not {' and '.join(named)}" if named else "none is given"
        raise ValueError(f"Stroppy comes from just one of url (with sha256), archive or commit; {said}")
    sha256, commit = str(given.get("sha256") or ""), str(given.get("commit") or "")
    if sha256 and not _SHA256.fullmatch(sha256):
        raise ValueError(f"sha256 is 64 digits of 0-9 and a-f, as sha256sum prints them, not {sha256[:80]!r}")
    if commit and not _COMMIT.fullmatch(commit):
        raise ValueError(
            f"commit is 7 to 40 digits of 0-9 and a-f, or a pseudo-version of Go, not {commit[:80]!r}"
            "; its tags are no versions of its module"
        )
    if commit and sha256:
        raise ValueError("sha256 is for url and archive; a commit is its own digest")
    if given.get("coverage") and not commit:
        raise ValueError("coverage is noted by a program that Go builds so: give a commit")
    if given.get("url"):
        _check_url(str(given["url"]), sha256)


def _check_url(url: str, sha256: str) -> None:
    try:
        parts = urlsplit(url)
        host, login = parts.hostname, parts.username
    except ValueError:
        parts, host, login = urlsplit(""), None, None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(
            "url begins with https:// or http:// and a host; a file on this machine is an archive"
        )
    if login:
        raise ValueError("url has a login in it, which everybody could read in the plan; use archive")
    if not sha256:
        raise ValueError("url needs sha256: what is at an address may change; sha256sum FILE prints it")
