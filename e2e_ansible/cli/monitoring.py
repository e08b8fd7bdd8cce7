"""Options of the monitor of a soak."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from e2e_ansible.monitor.options import MonitorOptions

__all__ = ["MonitorInterval", "Threshold", "ThresholdFile", "monitor_options"]

_PANEL = "Cycles"

Threshold = Annotated[
    list[str] | None,
    typer.Option(
        "--threshold",
        metavar="NAME=VALUE",
        rich_help_panel=_PANEL,
        help="When the monitor raises an alert, such as node_disk_percent=80. May be repeated.",
    ),
]
ThresholdFile = Annotated[
    Path | None,
    typer.Option(
        "--thresholds",
        metavar="FILE",
        envvar="E2E_THRESHOLDS",
        rich_help_panel=_PANEL,
        help="Thresholds in YAML or JSON; --threshold goes above it.",
    ),
]
MonitorInterval = Annotated[
    float | None,
    typer.Option(
        "--monitor-interval",
        metavar="SECONDS",
        envvar="E2E_MONITOR_INTERVAL",
        min=1,
        rich_help_panel=_PANEL,
        help="Time from one look of the monitor to the next; 15 if not given.",
    ),
]


def monitor_options(
    threshold: list[str] | None, thresholds: Path | None, interval: float | None
) -> MonitorOptions:
    """How a soak is monitored.

    Raises:
        UsageError: a threshold that is none, or a file that cannot be read.
    """
    from e2e_ansible.monitor.options import INTERVAL_SECONDS, MonitorOptions
    from e2e_ansible.monitor.thresholds import read_thresholds

    limits = read_thresholds(threshold or (), thresholds)
    return MonitorOptions(interval=interval or INTERVAL_SECONDS, thresholds=limits)
