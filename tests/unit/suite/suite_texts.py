"""Types of what the fixtures of the loader's tests give."""

from __future__ import annotations

from collections.abc import Callable

from e2e_ansible.suite.model import Suite

Load = Callable[..., Suite]
Problems = Callable[..., list[str]]
