"""Starts one OpenStack for all tests of this folder.

The file of the tests has a name that only `make test-openstack` asks for: the servers need an environment of their own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.openstack import world
from tests.openstack.server import running

PYTHON = "E2E_OPENSTACK_PYTHON"


@pytest.fixture(scope="session", autouse=True)
def _openstack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """E2E_OPENSTACK_PYTHON is the Python of the environment that has the servers; `make test-openstack` sets it."""
    python = Path(os.environ.get(PYTHON, "")).absolute()
    if not python.is_file():
        pytest.fail(f"{PYTHON} does not name a Python that has the servers; use: make test-openstack")
    with running(tmp_path_factory.mktemp("openstack"), python) as cloud:
        world.furnish(cloud)
        world.CLOUD.append(cloud)
        yield
        world.CLOUD.clear()
