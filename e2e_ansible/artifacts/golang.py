"""Builds a program by Go on the controller, from one commit of its module."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from e2e_ansible.artifacts.executable import GO_NAMES
from e2e_ansible.errors import InfrastructureError

__all__ = ["ModuleUnavailable", "build", "go_program"]

_USUAL = "/usr/local/go/bin:/usr/lib/go/bin:/snap/bin"
_ASK_SECONDS = 30
_LOGIN = re.compile(r"//[^/@\s]+@")
_REFUSED = re.compile(
    r"\b(?:401|403|404|407|410|5\d\d) [A-Z]|unknown revision|invalid version|no such host|i/o timeout"
    r"|connection refused|network is unreachable|\": (?:Forbidden|Proxy Authentication Required)$"
    r"|reading file://.*: no such file|disabled by GOPROXY=off"
)
_INSTEAD = "set GOPROXY to one that has it, or give a release: parameters.stroppy with url and sha256, or with archive"
_LAST_LINES = 4


class ModuleUnavailable(InfrastructureError):
    """Go cannot get the module, or one that it needs: refused, not there, or no way to the proxy."""


def go_program() -> str:
    """The path of the program `go`.

    Raises:
        InfrastructureError: it is not on this machine.
    """
    path = shutil.which("go") or shutil.which("go", path=_USUAL)
    if path is None:
        raise InfrastructureError(
            "Stroppy is to be built here, and there is no program `go`",
            hint="apt-get install golang-go, or give a release: parameters.stroppy with archive, or url and sha256",
        )
    return path


def build(
    module: str,
    package: str,
    commit: str,
    machine: str,
    target: Path,
    *,
    coverage: bool,
    lock: int,
    seconds: float,
) -> None:
    """Build `module/package` at `commit` for Linux on `machine` into the file `target`.

    What the user says in GOFLAGS, GOPROXY, GOMODCACHE and so on holds. The compiler holds `lock` as well, so that no
    second build begins while that of a killed maker still runs.

    Raises:
        ModuleUnavailable: Go cannot get the commit, or what it needs.
        InfrastructureError: there is no Go, or it does not compile.
    """
    go = go_program()
    if machine not in GO_NAMES:
        raise InfrastructureError(
            f"nodes of the kind {machine} are not known to the build; known: {', '.join(GO_NAMES)}"
        )
    make = _Make(
        module, package, commit, target, _environment(go, machine, target.with_name("go")), lock, seconds
    )
    if coverage:
        make.with_coverage(go)
    else:
        make.installed(go)


@dataclass(frozen=True)
class _Make:
    module: str
    package: str
    commit: str
    target: Path
    environment: Mapping[str, str]
    lock: int
    seconds: float

    def installed(self, go: str) -> None:
        """As a user would; so the program knows its version."""
        self._run([go, "install", "-trimpath", f"{self.module}/{self.package}@{self.commit}"])
        place = Path(self.environment["GOPATH"])
        # For a machine of another kind it is in a folder of that.
        made = next(place.glob(f"bin/**/{self.package.rpartition('/')[2]}"))
        made.rename(self.target)
        shutil.rmtree(place)

    def with_coverage(self, go: str) -> None:
        """In a copy of the module: Go notes no lines of what it builds from another place."""
        said = self._run([go, "mod", "download", "-json", f"{self.module}@{self.commit}"])
        copy = self.target.with_name("module")
        shutil.copytree(json.JSONDecoder().raw_decode(said[said.index("{") :])[0]["Dir"], copy)
        for folder in (copy, *filter(Path.is_dir, copy.rglob("*"))):
            folder.chmod(0o700)  # what Go keeps may not be changed, nor removed
        flags = ["-trimpath", "-buildvcs=false", "-cover", f"-coverpkg={self.module}/..."]
        self._run([go, "build", *flags, "-o", str(self.target), f"./{self.package}"], cwd=copy)
        shutil.rmtree(copy)

    def _run(self, argv: list[str], cwd: Path | None = None) -> str:
        code, said = _run(argv, self.environment, self.lock, self.seconds, cwd or self.target.parent)
        if code:
            raise _failure(f"{self.module}@{self.commit}", said)
        return said


def _environment(go: str, machine: str, place: Path) -> Mapping[str, str]:
    """That of the user; its modules are kept where Go keeps them, the program comes to `place`."""
    asked = subprocess.run(
        [go, "env", "GOMODCACHE"], capture_output=True, text=True, timeout=_ASK_SECONDS, check=False
    )
    # Go refuses to put programs for other machines there.
    own = {name: value for name, value in os.environ.items() if name != "GOBIN"}
    return {
        # A program with the C library of the controller may not start on a node with an older one.
        "CGO_ENABLED": "0",
        **own,
        "GOMODCACHE": asked.stdout.strip() or str(Path.home() / "go/pkg/mod"),
        "GOPATH": str(place),
        "GOOS": "linux",
        "GOARCH": GO_NAMES[machine],
        "GOTELEMETRY": "off",
    }


def _run(
    argv: list[str], environment: Mapping[str, str], lock: int, seconds: float, cwd: Path
) -> tuple[int, str]:
    with subprocess.Popen(
        argv,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        pass_fds=(lock,),
    ) as process:
        try:
            said = process.communicate(timeout=seconds)[0]
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return 1, f"it was ended after {seconds:g} s"
    return process.returncode, said


def _failure(title: str, said: str) -> InfrastructureError:
    lines = [_LOGIN.sub("//***@", line.strip()) for line in said.splitlines() if line.strip()]
    refusal = next((line for line in lines if _REFUSED.search(line)), "")
    if refusal:
        reason = refusal[refusal.rfind("reading ") :] if "reading " in refusal else refusal
        return ModuleUnavailable(f"Go cannot get {title}: {reason[:500]}", hint=_INSTEAD)
    last = "; ".join(lines[-_LAST_LINES:])[:1000] or "it said nothing"
    return InfrastructureError(
        f"Go could not build {title}: {last}", hint="see what `go install` says by hand"
    )
