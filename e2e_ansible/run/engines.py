"""Opens the engine of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from e2e_ansible.compile.compiler import ANSIBLE_CFG
from e2e_ansible.content import content_files, content_root
from e2e_ansible.engine.name import EngineName
from e2e_ansible.engine.protocol import Engine

__all__ = ["open_engine"]


@contextmanager
def open_engine(name: EngineName = EngineName.WARM) -> Iterator[Engine]:
    """An engine for compiled plans. The warm one starts at once, beside what its user does first."""
    if name is EngineName.COLD:
        from e2e_ansible.engine.runner import RunnerEngine

        yield RunnerEngine()
        return
    from e2e_ansible.engine.warm.engine import WarmEngine

    warm = WarmEngine(ANSIBLE_CFG, content_root(), content_files())
    try:
        yield warm
    finally:
        warm.close()
