"""What an error of an API means, by the words of each provider."""

from __future__ import annotations

import pytest

from e2e_ansible.providers.azure.trouble import trouble_of as trouble_of_azure
from e2e_ansible.providers.cloud.trouble import Trouble
from e2e_ansible.providers.gcp.trouble import trouble_of as trouble_of_gcp


@pytest.mark.parametrize(
    ("reasons", "status", "trouble"),
    [
        (["ZONE_RESOURCE_POOL_EXHAUSTED"], 503, Trouble.CAPACITY),
        (["ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS"], 503, Trouble.CAPACITY),
        (["QUOTA_EXCEEDED"], 403, Trouble.QUOTA),
        (["quotaExceeded"], 403, Trouble.QUOTA),
        (["rateLimitExceeded"], 403, Trouble.TRANSIENT),
        (["resourceNotReady"], 400, Trouble.CONFLICT),
        (["resourceInUseByAnotherResource"], 400, Trouble.CONFLICT),
        (["invalid"], 400, Trouble.OTHER),
        (["authError"], 401, Trouble.FORBIDDEN),
        (["forbidden"], 403, Trouble.FORBIDDEN),
        (["notFound"], 404, Trouble.MISSING),
        (["alreadyExists"], 409, Trouble.CONFLICT),
        (["conditionNotMet"], 412, Trouble.CONFLICT),
        ([], 429, Trouble.TRANSIENT),
        ([], 500, Trouble.TRANSIENT),
        ([], 503, Trouble.TRANSIENT),
    ],
)
def test_gcp(reasons: list[str], status: int, trouble: Trouble) -> None:
    assert trouble_of_gcp(reasons, status) is trouble


@pytest.mark.parametrize(
    ("code", "message", "status", "trouble"),
    [
        ("AllocationFailed", "", 200, Trouble.CAPACITY),
        ("ZonalAllocationFailed", "", 200, Trouble.CAPACITY),
        ("OverconstrainedAllocationRequest", "", 200, Trouble.CAPACITY),
        ("SkuNotAvailable", "", 409, Trouble.CAPACITY),
        ("OperationNotAllowed", "exceeding approved Total Regional Cores quota", 409, Trouble.QUOTA),
        ("OperationNotAllowed", "the machine is being deleted", 409, Trouble.CONFLICT),
        ("QuotaExceeded", "", 409, Trouble.QUOTA),
        ("RetryableError", "", 409, Trouble.TRANSIENT),
        ("InvalidParameter", "", 400, Trouble.OTHER),
        ("InvalidAuthenticationToken", "", 401, Trouble.FORBIDDEN),
        ("AuthorizationFailed", "", 403, Trouble.FORBIDDEN),
        ("ResourceNotFound", "", 404, Trouble.MISSING),
        ("", "", 412, Trouble.CONFLICT),
        ("TooManyRequests", "", 429, Trouble.TRANSIENT),
        ("", "", 500, Trouble.TRANSIENT),
        ("", "no credential was found", None, Trouble.FORBIDDEN),
    ],
)
def test_azure(code: str, message: str, status: int | None, trouble: Trouble) -> None:
    assert trouble_of_azure(code, message, status) is trouble
