"""A tiny real Go module under the name of Stroppy, served from files as a module proxy serves it."""

from __future__ import annotations

import json
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path

from e2e_ansible.artifacts.stroppy import MODULE

__all__ = ["GoModule", "serve_module"]

_MAIN = f"""
package main

import (
	"fmt"
	"os"

	"{MODULE}/words"
)

func main() {{
	if len(os.Args) > 1 && os.Args[1] == "version" {{
		fmt.Println("stroppy  " + words.Version)
		return
	}}
	fmt.Println(words.Greeting())
}}
"""
_WORDS = """
package words

const Version = "COMMIT"

func Greeting() string { return "it ran" }

func Unused() string { return "never" }
"""


@dataclass(frozen=True)
class GoModule:
    """A commit of the module; `environment` makes Go find it, and nothing else."""

    commit: str
    environment: dict[str, str]


def serve_module(folder: Path, *, main: str = _MAIN, version: str = "") -> GoModule:
    """A proxy below `folder` with one commit, which no other test has unless its version is given."""
    version = version or f"v1.0.3-0.20260822003247-{uuid.uuid4().hex[:12]}"
    commit = version.rpartition("-")[2]
    place = folder / MODULE / "@v"
    place.mkdir(parents=True)
    info = json.dumps({"Version": version, "Time": "2026-08-22T00:32:47Z"})
    for name in (commit, version):
        (place / f"{name}.info").write_text(info)
    (place.parent / "@latest").write_text(info)
    declaration = f"module {MODULE}\n\ngo 1.20\n"
    (place / f"{version}.mod").write_text(declaration)
    (place / "list").write_text("")
    files = {
        "go.mod": declaration,
        "cmd/stroppy/main.go": main,
        "words/words.go": _WORDS.replace("COMMIT", commit),
    }
    with zipfile.ZipFile(place / f"{version}.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{MODULE}@{version}/{name}", text)
    environment = {
        "GOPROXY": folder.as_uri(),
        "GONOSUMDB": MODULE,
        "GOFLAGS": "-modcacherw",
        "GOMODCACHE": str(folder / "modules"),
        "GOTOOLCHAIN": "local",
    }
    return GoModule(commit, environment)
