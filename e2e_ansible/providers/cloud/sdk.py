"""Imports the SDK of a provider when it is needed, or says how to install it."""

from __future__ import annotations

import importlib
from typing import Any

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.base import Finding

__all__ = ["finding", "load"]


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


def finding(module: str, extra: str) -> Finding:
    """For `doctor`: whether the SDK can be imported."""
    try:
        load(module, extra)
    except UsageError as error:
        return Finding(name=f"{extra} SDK", ok=False, detail=f"{error}; {error.hint}")
    return Finding(name=f"{extra} SDK", ok=True, detail=f"{module} is installed")
