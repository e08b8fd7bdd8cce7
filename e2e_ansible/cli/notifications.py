"""Options that say who is told of a run beside its user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from e2e_ansible.notify.when import NotifyOn

if TYPE_CHECKING:
    from e2e_ansible.notify.notifier import Notifier

__all__ = ["Notifications"]


@dataclass(frozen=True)
class Notifications:
    """People, and programs that keep numbers."""

    notify: Annotated[
        list[str] | None,
        typer.Option(
            "--notify",
            metavar="TARGET",
            envvar="E2E_NOTIFY",
            help="Tell webhook:URL, slack:URL or mailto:ADDRESS; @FILE or env:NAME holds it. May be repeated.",
        ),
    ] = None
    notify_on: Annotated[
        NotifyOn,
        typer.Option(
            "--notify-on",
            metavar="WHEN",
            envvar="E2E_NOTIFY_ON",
            help=f"What they are told of: {', '.join(NotifyOn)}. Failures include alerts.",
        ),
    ] = NotifyOn.FAILURE
    prometheus_file: Annotated[
        Path | None,
        typer.Option(
            "--prometheus-file",
            metavar="PATH",
            envvar="E2E_PROMETHEUS_FILE",
            help="Keep metrics in this file, for node_exporter's textfile collector.",
        ),
    ] = None
    pushgateway: Annotated[
        str | None,
        typer.Option(
            "--pushgateway",
            metavar="URL",
            envvar="E2E_PUSHGATEWAY",
            help="Push metrics to this Pushgateway; @FILE or env:NAME holds its address.",
        ),
    ] = None
    otel: Annotated[
        bool,
        typer.Option(
            "--otel",
            envvar="E2E_OTEL",
            help="Export spans by OTLP over HTTP, as the variables OTEL_* say.",
        ),
    ] = False

    def notifier(self) -> Notifier | None:
        """Who is told of a run, None when nobody is.

        Raises:
            UsageError: a target is none, or a package is missing.
        """
        if not (self.notify or self.prometheus_file or self.pushgateway or self.otel):
            return None
        from e2e_ansible.notify.options import NotifyOptions, open_notifier

        return open_notifier(
            NotifyOptions(
                self.notify or (), self.notify_on, self.prometheus_file, self.pushgateway, self.otel
            )
        )
