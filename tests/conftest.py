"""What holds for every test."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
import told

#: Who starts tests in the background ignores these for all that they start; tests send them.
for _signal in (signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, signal.SIG_DFL)

#: The SDK of AWS looks for credentials at an address of the network when it finds none here.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

#: No test may reach an account that whoever runs it has: each sets what it needs.
_ACCOUNTS = (
    "AWS_",
    "AZURE_",
    "CLOUDSDK_",
    "CONTROLLER_",
    "DIGITALOCEAN_",
    "GOOGLE_",
    "HCLOUD_",
    "OS_",
    "YC_",
)
_OURS = {"AWS_EC2_METADATA_DISABLED", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}
for _name in [name for name in os.environ if name.startswith(_ACCOUNTS) and name not in _OURS]:
    del os.environ[_name]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A process of xdist has ended."""
    told.collect(node.config, getattr(node, "workeroutput", {}))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What tests have told."""
    for line in told.lines(config):
        terminalreporter.write_line(line)
