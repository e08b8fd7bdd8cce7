"""Imports a part of a large package without the rest of it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import suppress
from typing import Any

from e2e_ansible.providers.cloud import sdk

__all__ = ["load_part"]


def load_part(package: str, part: str, extra: str) -> Any:
    """A module of a package whose own `__init__` imports all of its modules, as that of google-cloud-compute does.

    Every task of Ansible is a process that imports for itself, so a second here is seconds in each step. The package is
    filled as soon as somebody asks it for something that is no module.

    Raises:
        UsageError: it is not installed; see `sdk.load`.
    """
    with suppress(ImportError):  # which the next line tells
        _enter_hollow(package)
    return sdk.load(f"{package}.{part}", extra)


def _enter_hollow(package: str) -> None:
    if package in sys.modules:
        return
    spec = importlib.util.find_spec(package)
    if spec is None or spec.loader is None:
        return
    loader, module = spec.loader, importlib.util.module_from_spec(spec)

    def fill(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        with suppress(ModuleNotFoundError):
            return importlib.import_module(f"{package}.{name}")
        module.__dict__.pop("__getattr__", None)
        loader.exec_module(module)
        return getattr(module, name)

    module.__dict__["__getattr__"] = fill
    sys.modules[package] = module
