"""Loads the Python files of a suite's own `e2e_plugins` folder, which register checks and step types."""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType

from e2e_ansible.errors import Problem, SuiteError

__all__ = ["FOLDER", "load_folder", "plugin_files", "real_folder"]

FOLDER = "e2e_plugins"


def real_folder(suite: str | os.PathLike[str]) -> Path:
    """The folder that holds a suite file; of links in a circle, the one the last of them is in."""
    return Path(os.path.realpath(suite)).parent


def plugin_files(folder: Path) -> tuple[Path, ...]:
    """The Python files of `<folder>/e2e_plugins`, sorted, without those that begin with `_`."""
    return tuple(path for path in sorted((folder / FOLDER).glob("*.py")) if not path.name.startswith("_"))


def load_folder(folder: Path, *, allowed: bool) -> tuple[str, ...]:
    """Run the plugin files of the suite folder `folder` and return their module names.

    They are code of whoever wrote the suite, so nothing is run unless the user has `allowed` it. A file that
    was loaded before in this process is not run again.

    Raises:
        SuiteError: a file cannot be read, compiled or run; with its name and line. Every broken file is told.
    """
    if not allowed:
        return ()
    problems: list[Problem] = []
    loaded: list[str] = []
    for path in plugin_files(folder):
        try:
            loaded.append(_load(path))
        except (Exception, SystemExit) as error:
            problems.append(_problem(path, error))
    if problems:
        raise SuiteError(problems)
    return tuple(loaded)


def _load(path: Path) -> str:
    name = f"e2e_ansible_plugin_{hashlib.sha256(bytes(path.resolve())).hexdigest()[:12]}_{path.stem}"
    if name in sys.modules:
        return name
    code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        exec(code, module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return name


def _problem(path: Path, error: BaseException) -> Problem:
    hint = str(getattr(error, "hint", ""))
    if isinstance(error, SyntaxError) and error.filename == str(path):
        text = f"SyntaxError: {error.msg}"
        return Problem(str(path), error.lineno or 1, max(error.offset or 1, 1), text, hint)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno or 1 for frame in frames if frame.filename == str(path)]
    return Problem(str(path), lines[-1] if lines else 1, 1, f"{type(error).__name__}: {error}", hint)
