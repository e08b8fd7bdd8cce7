"""Clients of boto3: each call is made once, and every error of the SDK becomes a CloudError."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.aws.trouble import CREDENTIAL_HINT, refused, short
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble, passing

__all__ = ["Api"]

_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 60


class Api:
    """Clients of boto3, made when they are needed. Each call is made once, and every error is a CloudError."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str], Any] = {}
        self._opened: Any = None

    def default_region(self) -> str:
        """What the environment or the profile says, '' for nothing."""
        with _told("Region"):
            return os.environ.get("AWS_REGION") or str(self._session.region_name or "")

    def check_region(self, region: str) -> None:
        """Refuse a region that AWS does not have. With an endpoint of your own, any name will do.

        Raises:
            UsageError: there is no such region; the hint names the nearest one.
        """
        if any(name.startswith("AWS_ENDPOINT_URL") for name in os.environ):
            return
        with _told("Region"):
            partitions = self._session.get_available_partitions()
            known = [each for name in partitions for each in self._session.get_available_regions("ec2", name)]
        if region not in known:
            near = difflib.get_close_matches(region, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "for example eu-central-1"
            raise UsageError(f"aws: this boto3 knows no region {region!r}", hint=hint)

    def call(self, region: str, operation: str, *, service: str = "ec2", **arguments: Any) -> Any:
        """Make one call."""
        with _told(operation.title().replace("_", "")):
            return getattr(self._client(region, service), operation)(**arguments)

    def every(self, region: str, operation: str, key: str, **arguments: Any) -> list[Any]:
        """All pages of what is under `key`."""
        with _told(operation.title().replace("_", "")):
            pages = self._client(region, "ec2").get_paginator(operation).paginate(**arguments)
            return [each for page in pages for each in page[key]]

    def instances(self, region: str, **arguments: Any) -> list[Any]:
        """All instances of all pages, whatever they were reserved with."""
        reservations = self.every(region, "describe_instances", "Reservations", **arguments)
        return [each for reservation in reservations for each in reservation["Instances"]]

    def remove(self, region: str, operation: str, **arguments: Any) -> None:
        """Make one call; that the thing is gone already is no error."""
        with passing(Trouble.MISSING):
            self.call(region, operation, **arguments)

    def knows(self, region: str, operation: str, argument: str) -> bool:
        """Whether this version of the SDK has such an argument."""
        model = self._client(region, "ec2").meta.service_model.operation_model(operation)
        return argument in model.input_shape.members

    @property
    def _session(self) -> Any:
        if self._opened is None:
            self._opened = sdk.load("boto3.session", "aws").Session()
        return self._opened

    def _client(self, region: str, service: str) -> Any:
        key = (region, service)
        if key not in self._clients:
            config = sdk.load("botocore.config", "aws").Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_ANSWER_SECONDS,
                retries={"total_max_attempts": 1, "mode": "standard"},
            )
            self._clients[key] = self._session.client(service, region_name=region, config=config)
        return self._clients[key]


@contextmanager
def _told(operation: str) -> Iterator[None]:
    """Turn every error of the SDK into a CloudError that names the call."""
    errors = sdk.load("botocore.exceptions", "aws")
    try:
        yield
    except errors.ClientError as error:
        raise refused(operation, error.response) from error
    except (
        errors.NoCredentialsError,
        errors.PartialCredentialsError,
        errors.CredentialRetrievalError,
        errors.ProfileNotFound,
        errors.TokenRetrievalError,
        errors.UnauthorizedSSOTokenError,
        errors.SSOError,
    ) as error:
        raise CloudError(f"aws: {short(str(error))}", Trouble.FORBIDDEN, hint=CREDENTIAL_HINT) from error
    except errors.SSLError as error:
        hint = "look at AWS_CA_BUNDLE and at AWS_ENDPOINT_URL"
        raise CloudError(f"aws: {operation}: {short(str(error))}", Trouble.OTHER, hint=hint) from error
    except (
        errors.ConnectionError,
        errors.HTTPClientError,
        errors.IncompleteReadError,
        sdk.load("botocore.parsers", "aws").ResponseParserError,
    ) as error:
        raise CloudError(f"aws: {operation}: {short(str(error))}", Trouble.TRANSIENT) from error
    except errors.BotoCoreError as error:
        raise CloudError(f"aws: {operation}: {short(str(error))}", Trouble.OTHER) from error
    except ValueError as error:  # what botocore says of an endpoint that is no URL
        hint = "look at AWS_ENDPOINT_URL, AWS_REGION and the profile"
        raise CloudError(f"aws: {operation}: {short(str(error))}", Trouble.OTHER, hint=hint) from error
