"""What of a suite and its files is in the project, which is all that jobs of AWX have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from e2e_ansible.awx.loads import beside
from e2e_ansible.content import content_root
from e2e_ansible.steps.custom_command import CustomCommandOptions
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.suite.parameters import Parameters

__all__ = ["folder_in_project", "inventory_in_project", "missing_for_step", "missing_for_test"]


def folder_in_project(suite: str) -> str:
    """The folder of the suite in the project, which is where its commands run; that of the project for another."""
    folder = _folder(suite)
    return _relative(folder) if _in_project(folder) else "."


def inventory_in_project(suite: str, inventory: str) -> str:
    """The inventory of provider `static` as jobs find it, from the folder of the project on."""
    path = _folder(suite) / inventory
    return inventory if _is_absolute(inventory) or not _in_project(path) else _relative(path)


def missing_for_test(suite: str, parameters: Parameters) -> Iterator[tuple[str, str, str]]:
    """Files of a test that jobs would need and do not have: the parameter, the reason and what to do."""
    source = parameters.stroppy
    files = {"stroppy": source.archive if source else None, "inventory": parameters.inventory}
    called = {"stroppy": "archive", "inventory": "file"}
    for name, file in files.items():
        if file and not _is_absolute(file) and not _in_project(_folder(suite) / file):
            text = (
                f"{name}: the {called[name]} {file} is not in the project, so the jobs of AWX do not have it"
            )
            more = "a url, " if name == "stroppy" else ""
            yield name, text, f"put it there, give {more}or a path that is exposed to jobs"


def missing_for_step(suite: str, options: StepOptions) -> Iterator[tuple[str, str]]:
    """Files of a step that its job would need and does not have: the reason and what to do."""
    if _in_project(_folder(suite)):
        return
    if option := beside(options):
        text = (
            f"{option}: the suite is not in the project, so the jobs of AWX do not have the files beside it"
        )
        yield text, "put the suite into the project"
    if isinstance(options, CustomCommandOptions) and (file := _named(suite, options)):
        text = (
            f"custom_command: {file} is beside the suite, which is not in the project, so jobs do not have it"
        )
        yield text, "put the suite into the project"


def _named(suite: str, options: CustomCommandOptions) -> str:
    """The first word of a command on the controller that is a file beside the suite."""
    if options.targets or options.target_node:
        return ""
    words = (word for word in options.custom_command if word and not _is_absolute(word))
    return next((word for word in words if _is_file(_folder(suite) / word)), "")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a long text, or one with a zero byte
        return False


def _is_absolute(path: str) -> bool:
    return Path(path).expanduser().is_absolute()


def _folder(suite: str) -> Path:
    return Path(suite).resolve().parent


def _in_project(path: Path) -> bool:
    return path.resolve().is_relative_to(content_root().resolve())


def _relative(path: Path) -> str:
    return os.path.relpath(path, content_root().resolve())
