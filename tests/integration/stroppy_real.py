"""The tests of `run_stroppy` with the real program, in place of its double; not collected with the others.

`STROPPY` names the program or an archive with it; `make test-stroppy` has Go build it where the variable is not set.
Run with `python -m pytest tests/integration/stroppy_real.py`.
"""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest

from e2e_ansible.artifacts.stroppy import Source, program
from e2e_ansible.load.stroppy_catalogue import ask
from e2e_ansible.steps.stroppy_install import PINNED_COMMIT

if not os.environ.get("STROPPY"):
    made = program(Source(commit=PINNED_COMMIT), platform.machine())
    assert made is not None
    os.environ["STROPPY"] = str(made.path)
os.environ["STROPPY_DIALECT"] = str(ask(os.environ["STROPPY"])["dialect"])

from test_run_stroppy import *  # noqa: F403 - the same tests, with the variables set before they are read

pytestmark = pytest.mark.nodes


def test_it_is_no_double() -> None:
    said = subprocess.run(
        [os.environ["STROPPY"], "version"], capture_output=True, text=True, check=True
    ).stdout
    print(
        f"{Path(os.environ['STROPPY']).name}: {' '.join(said.split())}, {os.environ['STROPPY_DIALECT']} dialect"
    )
    assert "stand-in" not in said
