"""Clients of boto3 for provider `aws`: each call is made once, and every error of the SDK becomes a CloudError."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["EXTRA", "Api", "trouble_of"]

EXTRA = "aws"
"""The optional extra of this package that brings the SDK."""

_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 60
_LONGEST_PAUSE_SECONDS = 60
_DETAIL_LETTERS = 300

_RIGHT_CODES = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_CODES = {
    Trouble.TRANSIENT: (
        "InternalError InternalFailure InternalServiceError RequestLimitExceeded RequestTimeout ServiceException "
        "ServiceUnavailable Throttling ThrottlingException TooManyRequestsException Unavailable"
    ),
    Trouble.CAPACITY: "Unsupported",
    Trouble.QUOTA: "MaxSpotInstanceCountExceeded",
    Trouble.FORBIDDEN: (
        "AuthFailure ExpiredToken ExpiredTokenException IncompleteSignature InvalidAccessKeyId InvalidClientTokenId "
        "InvalidSignatureException MissingAuthenticationToken OptInRequired RequestExpired SignatureDoesNotMatch "
        f"UnrecognizedClientException {' '.join(_RIGHT_CODES)}"
    ),
    Trouble.CONFLICT: "DependencyViolation IncorrectInstanceState IncorrectState VolumeInUse",
}
_TROUBLES = {code: trouble for trouble, codes in _CODES.items() for code in codes.split()}
_PATTERNS = (
    (re.compile(r"^Insufficient"), Trouble.CAPACITY),
    (re.compile(r"LimitExceeded$"), Trouble.QUOTA),
    (re.compile(r"NotFound$"), Trouble.MISSING),
    (re.compile(r"\.InUse$"), Trouble.CONFLICT),
)
_HINTS = {
    Trouble.CAPACITY: "name more zones, or more than one instance_type",
    Trouble.QUOTA: "destroy what is not needed (e2e-ansible reap), or ask AWS for a higher quota",
    Trouble.FORBIDDEN: (
        "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; temporary ones may have expired"
    ),
}
_RIGHTS_HINT = "the rights that are needed are listed in docs/providers/aws.md"


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

    def remove(self, region: str, operation: str, **arguments: Any) -> None:
        """Make one call; that the thing is gone already is no error."""
        try:
            self.call(region, operation, **arguments)
        except CloudError as error:
            if error.trouble is not Trouble.MISSING:
                raise

    def knows(self, region: str, operation: str, argument: str) -> bool:
        """Whether this version of the SDK has such an argument."""
        model = self._client(region, "ec2").meta.service_model.operation_model(operation)
        return argument in model.input_shape.members

    @property
    def _session(self) -> Any:
        if self._opened is None:
            self._opened = sdk.load("boto3.session", EXTRA).Session()
        return self._opened

    def _client(self, region: str, service: str) -> Any:
        key = (region, service)
        if key not in self._clients:
            config = sdk.load("botocore.config", EXTRA).Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_ANSWER_SECONDS,
                retries={"total_max_attempts": 1, "mode": "standard"},
            )
            self._clients[key] = self._session.client(service, region_name=region, config=config)
        return self._clients[key]


@contextmanager
def _told(operation: str) -> Iterator[None]:
    """Turn every error of the SDK into a CloudError that names the call."""
    errors = sdk.load("botocore.exceptions", EXTRA)
    try:
        yield
    except errors.ClientError as error:
        raise _refused(operation, error.response) from error
    except (
        errors.NoCredentialsError,
        errors.PartialCredentialsError,
        errors.CredentialRetrievalError,
        errors.ProfileNotFound,
        errors.TokenRetrievalError,
        errors.UnauthorizedSSOTokenError,
        errors.SSOError,
    ) as error:
        raise CloudError(
            f"aws: {_short(str(error))}", Trouble.FORBIDDEN, hint=_HINTS[Trouble.FORBIDDEN]
        ) from error
    except errors.SSLError as error:
        hint = "look at AWS_CA_BUNDLE and at AWS_ENDPOINT_URL"
        raise CloudError(f"aws: {operation}: {_short(str(error))}", Trouble.OTHER, hint=hint) from error
    except (
        errors.ConnectionError,
        errors.HTTPClientError,
        errors.IncompleteReadError,
        sdk.load("botocore.parsers", EXTRA).ResponseParserError,
    ) as error:
        raise CloudError(f"aws: {operation}: {_short(str(error))}", Trouble.TRANSIENT) from error
    except errors.BotoCoreError as error:
        raise CloudError(f"aws: {operation}: {_short(str(error))}", Trouble.OTHER) from error
    except ValueError as error:  # what botocore says of an endpoint that is no URL
        hint = "look at AWS_ENDPOINT_URL, AWS_REGION and the profile"
        raise CloudError(f"aws: {operation}: {_short(str(error))}", Trouble.OTHER, hint=hint) from error


def _refused(operation: str, response: Mapping[str, Any]) -> CloudError:
    """The error of an answer that says so."""
    error, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
    code = str(error.get("Code", ""))
    trouble = trouble_of(code, int(meta.get("HTTPStatusCode") or 0))
    wait = str(meta.get("HTTPHeaders", {}).get("retry-after", ""))
    return CloudError(
        f"aws: {operation}: {_short(str(error.get('Message', '')))} ({code})",
        trouble,
        pause_seconds=min(int(wait), _LONGEST_PAUSE_SECONDS) if wait.isdigit() else 0,
        hint=_hint(code, trouble),
    )


def trouble_of(code: str, status: int) -> Trouble:
    """The kind of an error by its code, else by the HTTP status."""
    if code in _TROUBLES:
        return _TROUBLES[code]
    for fits, trouble in _PATTERNS:
        if fits.search(code):
            return trouble
    return Trouble.TRANSIENT if status >= 500 or status == 429 else Trouble.OTHER


def _hint(code: str, trouble: Trouble) -> str:
    return _RIGHTS_HINT if code in _RIGHT_CODES else _HINTS.get(trouble, "")


def _short(text: str) -> str:
    """The first line, before anything that is encoded: the rest may hold what was signed, with the session's token."""
    lines = text.split("Encoded authorization failure", maxsplit=1)[0].strip().splitlines()
    return lines[0][:_DETAIL_LETTERS].strip() if lines else "no reason is told"
