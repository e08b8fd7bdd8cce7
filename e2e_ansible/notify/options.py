"""What a user asks for, from options, files and variables, to a notifier."""

from __future__ import annotations

import importlib
import os
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from e2e_ansible.errors import UsageError
from e2e_ansible.notify.notifier import Notifier
from e2e_ansible.notify.scrub import Secrets
from e2e_ansible.notify.source import Sources
from e2e_ansible.notify.target import http_url, parse_target
from e2e_ansible.notify.when import NotifyOn

if TYPE_CHECKING:
    from e2e_ansible.notify.spans import Spans

__all__ = ["VARIABLES", "NotifyOptions", "open_notifier"]

#: The variables that may hold targets. No command of a suite inherits them.
VARIABLES = ("E2E_NOTIFY", "E2E_PUSHGATEWAY")
_OTLP = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


@dataclass(frozen=True)
class NotifyOptions:
    """What was asked for. `targets` and `pushgateway` may be `@FILE` or `env:NAME`."""

    targets: Sequence[str] = ()
    on: NotifyOn = NotifyOn.FAILURE
    prometheus_file: Path | None = None
    pushgateway: str | None = None
    otel: bool = False

    @property
    def nothing(self) -> bool:
        """Whether nobody is to be told anything."""
        return not (self.targets or self.prometheus_file or self.pushgateway or self.otel)


def open_notifier(
    options: NotifyOptions, environment: MutableMapping[str, str] = os.environ
) -> Notifier | None:
    """The notifier for it, None when nothing was asked for. Variables that were read leave the environment.

    Raises:
        UsageError: a target is none, a secret is not there, or a package is not installed; without any secret in it.
    """
    sources, secrets = Sources(environment), Secrets()
    for name in VARIABLES:
        secrets.add(environment.pop(name, ""))
    if options.nothing:
        return None
    try:
        return _notifier(options, sources, secrets, environment)
    except UsageError as error:
        raise UsageError(secrets.scrub(str(error)), hint=secrets.scrub(error.hint)) from None
    finally:
        sources.forget()


def _notifier(
    options: NotifyOptions, sources: Sources, secrets: Secrets, environment: MutableMapping[str, str]
) -> Notifier:
    from e2e_ansible.notify.exposition import textfile

    words = [word for text in options.targets for word in sources.words(text)]
    targets = [parse_target(word, sources, secrets) for word in words]
    gateway = ""
    if options.pushgateway:
        url = sources.words(options.pushgateway)[0]
        gateway = http_url(url, "the Pushgateway", secrets, "for example http://localhost:9091")
    return Notifier(
        tuple(dict.fromkeys(targets)),
        on=options.on,
        prometheus_file=textfile(options.prometheus_file) if options.prometheus_file else None,
        pushgateway=gateway,
        spans=_spans(environment, secrets) if options.otel else None,
        secrets=secrets,
    )


def _spans(environment: MutableMapping[str, str], secrets: Secrets) -> Spans:
    try:
        importlib.import_module(_OTLP)
    except ImportError as error:
        raise UsageError(
            f"--otel needs packages that are not installed: {error}", hint="pip install 'e2e-ansible[otel]'"
        ) from error
    from e2e_ansible.notify.spans import Spans, exporter

    try:
        return Spans(*exporter(environment, secrets))
    except (ValueError, OSError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"a variable OTEL_* is wrong: {error}", hint="see docs/notifications.md") from error
