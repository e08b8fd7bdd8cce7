"""The line of Stroppy with k6 inside, built by Go; upstream's own way is xk6, which makes just such a module."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from e2e_ansible.artifacts.cache import cached
from e2e_ansible.artifacts.golang import go_program
from e2e_ansible.artifacts.stroppy import MODULE, NAME
from e2e_ansible.errors import InfrastructureError

__all__ = ["K6_VERSION", "k6_line"]

#: Of 5.7.3, which has the last release with k6; the module has no version in its path.
K6_VERSION = "20260729130943-884d51cb8e33"
_FILES = {
    "go.mod": f"""
module k6

go 1.26

require (
	github.com/oleiade/xk6-encoding v0.0.0-20251120082946-fbe7a8cbb88e
	{MODULE} v1.0.3-0.{K6_VERSION}
	go.k6.io/k6 v1.8.0
	xk6air v0.0.0
)

replace xk6air => {MODULE}/cmd/xk6air v0.0.0-{K6_VERSION}
""",
    "main.go": """
package main

import (
	_ "github.com/oleiade/xk6-encoding"
	"go.k6.io/k6/cmd"
	_ "xk6air"
)

func main() { cmd.Execute() }
""",
}
_SECONDS = 1700


def k6_line() -> Path:
    """The program, made when it is not in the cache.

    Raises:
        InfrastructureError: there is no Go, or it could not build it.
    """
    return cached("stroppy", f"k6-{K6_VERSION}", _make, seconds=_SECONDS) / NAME


def _make(folder: Path, _: int) -> None:
    module = folder / "module"
    module.mkdir()
    for name, text in _FILES.items():
        (module / name).write_text(text)
    done = subprocess.run(
        [go_program(), "build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", str(folder / NAME), "."],
        cwd=module,
        env={**os.environ, "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise InfrastructureError(f"Go could not build the line with k6: {done.stderr.strip()[-1000:]}")
    for path in sorted(module.iterdir()):
        path.unlink()
    module.rmdir()
