"""Which failures of a set-up are known to pass by themselves, so that playing it again is no way to hide a fault. Pure.

A list of what is known, not a guess: a message that stands not here is never a reason to try again.
"""

from __future__ import annotations

import re

from e2e_ansible.compile.plan import PlannedStep
from e2e_ansible.engine.protocol import Ended
from e2e_ansible.judge.attempt import roots
from e2e_ansible.judge.fold import Facts
from e2e_ansible.judge.record import AttemptRecord
from e2e_ansible.steps.judgement import Replay

__all__ = ["is_transient", "passing_trouble", "retry_delay"]

_FIRST_DELAY = 2.0
_BROKEN_OFF = (
    r"connection (?:timed out|refused|reset|failed|aborted)|read timed out|no answer|remote end closed"
    r"|ended after \d+ of \d+ bytes"
)
_SERVER_ERROR = (
    r"\b50[0234]:? +(?:internal|bad gateway|service|gateway|server)|http(?: error)?:? 50[0234]\b"
    r"|status code (?:was )?50[0234]\b"
)
_THROTTLED = (
    r"\b(?:requestlimitexceeded|serviceunavailable|(?:throttling|too ?many ?requests)(?:exception)?)\b"
)
#: Somebody wanted a file from an archive, or an answer from the interface of a cloud.
_FETCHING = (
    r"failed to (?:fetch|download)|unable to fetch|cannot be fetched|was not given|go cannot get|cannot initiate the"
    r"|^(?:aws|azure|digitalocean|gcp|hetzner|yandex|openstack): "
)
#: Each says by itself that it passes: whoever holds a lock gives it back, an archive in the middle of a sync ends it.
_BY_ITSELF = re.compile(
    r"could not get lock /var/|unable to lock (?:the \w+ )?directory|unable to acquire the dpkg (?:frontend )?lock"
    r"|temporary failure (?:in name resolution|resolving)"
    r"|hash sum mismatch|file has unexpected size|mirror sync in progress"
    r"|(?:kex_exchange|ssh_exchange|banner_exchange).*connection (?:reset|closed)"
    r"|connection reset by \S+ port \d+|via ssh:.*connection reset by peer",
    re.IGNORECASE,
)
#: In one line, or a refused connection may be just what the product did.
_OF_A_FETCH = re.compile(
    rf"(?:{_FETCHING}).*(?:{_BROKEN_OFF}|{_SERVER_ERROR}|{_THROTTLED})|^(?:{_BROKEN_OFF}).*(?:{_FETCHING})",
    re.IGNORECASE,
)
#: Beside it nothing passes: a package that was there, and did not come up when it was set up or is not to be had.
_LASTING = re.compile(
    r"sub-process \S+ returned an error code|(?:dpkg: )?error processing (?:package|archive)"
    r"|unable to locate package|has no installation candidate|no space left on device",
    re.IGNORECASE,
)
#: Modules that do nothing but fetch.
_FETCHERS = frozenset({"apt_key", "apt_repository", "get_url"})
_BROKEN = re.compile(rf"{_BROKEN_OFF}|{_SERVER_ERROR}|{_THROTTLED}", re.IGNORECASE)


def is_transient(message: str, action: str = "") -> bool:
    """Whether a message of an archive, a lock, a cloud or ssh is known to pass by itself; `action` is the module."""
    if _LASTING.search(message):
        return False
    if action in _FETCHERS and _BROKEN.search(message):
        return True
    return any(_BY_ITSELF.search(line) or _OF_A_FETCH.search(line) for line in message.splitlines())


def passing_trouble(step: PlannedStep, attempt: AttemptRecord, facts: Facts) -> str:
    """What made an attempt at a set-up fail and passes by itself; '' if anything else did, or it must not be repeated.

    Every failure must be known to pass: one that does not would only come again.
    """
    opted = step.judgement.transient_retries and step.replay is not Replay.NEVER
    whole = attempt.ended is not None and attempt.ended.outcome.ended is Ended.COMPLETED
    failures = roots(facts.failures) if opted and whole and not facts.unproved else []
    known = all(each.kind != "changed" and is_transient(each.message, each.action) for each in failures)
    return f"{failures[0].host}: {failures[0].task!r}: {failures[0].message}" if failures and known else ""


def retry_delay(retry: int) -> float:
    """Seconds before the nth time that it is played again, from 1 on: each twice as long as the one before."""
    return _FIRST_DELAY * 2.0 ** (retry - 1)
