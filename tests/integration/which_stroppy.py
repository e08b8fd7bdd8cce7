"""Which Stroppy the tests of real nodes use: the real one where it can be had, else its double.

`STROPPY` decides where it is set: the path of the program or of an archive with it, a commit for Go, `pinned` for the
one that the project names, or `k6` for the line with k6. Otherwise Go is asked for the pinned one. Only where Go says
that it cannot get the module the double takes its place; whatever else goes wrong fails the tests that need it.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from k6_line import K6_VERSION, k6_line
from stroppy_stand_in import packed

from e2e_ansible.artifacts.golang import ModuleUnavailable
from e2e_ansible.artifacts.stroppy import Program, Source, program
from e2e_ansible.errors import E2EError
from e2e_ansible.load.stroppy_catalogue import CannotAsk, ask
from e2e_ansible.providers.system import locked
from e2e_ansible.steps.stroppy_install import PINNED_COMMIT

__all__ = ["Stroppy", "choose"]

_PINNED, _K6 = "pinned", "k6"
_SECONDS = 1800


@dataclass(frozen=True)
class Stroppy:
    """`parameters` is what a suite says in `parameters.stroppy`, `path` the program here. `error`: there is none."""

    title: str
    parameters: dict[str, str]
    path: str = ""
    dialect: str = "go"
    real: bool = False
    error: str = ""


def choose(folder: Path) -> Stroppy:
    """One for all processes of a session that have this folder: the first chooses, the others take the same."""
    note = folder / "stroppy.json"
    with locked(folder / "stroppy.lock", _SECONDS):
        if not note.exists():
            note.write_text(json.dumps(asdict(_chosen(folder, os.environ.get("STROPPY", "")))))
    return Stroppy(**json.loads(note.read_text()))


def _chosen(folder: Path, wanted: str) -> Stroppy:
    try:
        return _real(wanted)
    except ModuleUnavailable as error:
        return _none(error) if wanted else _double(folder, error)
    except (E2EError, CannotAsk) as error:
        return _none(error)


def _real(wanted: str) -> Stroppy:
    """Raises: as `program` and `ask` do."""
    if wanted == _K6:
        return _with({"archive": str(k6_line())}, f"built by Go from 5.7.3, {K6_VERSION}")
    if Path(wanted).is_file():
        return _with({"archive": str(Path(wanted).absolute())}, wanted)
    commit = PINNED_COMMIT if wanted in ("", _PINNED) else wanted
    return _with({"commit": commit}, f"built by Go from {commit}")


def _with(parameters: dict[str, str], how: str) -> Stroppy:
    path = str(_made(parameters).path)
    dialect = str(ask(path)["dialect"])
    return Stroppy(f"Stroppy: {how}, {dialect} dialect", parameters, path, dialect, real=True)


def _made(parameters: dict[str, str]) -> Program:
    made = program(Source(**parameters), platform.machine())
    assert made is not None
    return made


def _double(folder: Path, error: Exception) -> Stroppy:
    parameters = {"archive": str(packed(folder / "stroppy_linux_amd64.tar.gz"))}
    return Stroppy(f"Stroppy: a double, because {error}", parameters, str(_made(parameters).path))


def _none(error: Exception) -> Stroppy:
    hint = getattr(error, "hint", "")
    return Stroppy(f"Stroppy: none, because {error}", {}, error=f"{error}; {hint}" if hint else str(error))
