"""Imports the SDK of a provider when it is needed, or says how to install it; and looks at it for `doctor`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from e2e_ansible.errors import E2EError, UsageError
from e2e_ansible.providers.base import Finding

__all__ = ["findings", "load"]


def load(module: str, extra: str) -> Any:
    """The module of an SDK that is an optional extra of this package.

    Raises:
        UsageError: it is not installed; the hint is the pip command.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(
            f"provider {extra} needs the Python module {module}, which cannot be imported: {error}",
            hint=f"pip install 'e2e-ansible[{extra}]'",
        ) from error


def findings(extra: str, modules: Sequence[str], looks: Mapping[str, Callable[[], str]]) -> list[Finding]:
    """For `doctor`: the first module, which stands for all that are needed, then each look, up to the first bad one.

    A look returns what it saw, or raises an error of ours.
    """
    installed = [_installed(module, extra) for module in modules]
    found = [next((each for each in installed if not each.ok), installed[0])]
    for what, look in looks.items():
        if found[-1].ok:
            found.append(_looked(f"{extra} {what}", look))
    return found


def _installed(module: str, extra: str) -> Finding:
    try:
        load(module, extra)
    except UsageError as error:
        return Finding(name=f"{extra} SDK", ok=False, detail=f"{error}; {error.hint}")
    return Finding(name=f"{extra} SDK", ok=True, detail=f"{module} is installed")


def _looked(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name=name, ok=True, detail=look())
    except E2EError as error:
        return Finding(name=name, ok=False, detail=f"{error}; {error.hint}".removesuffix("; "))
