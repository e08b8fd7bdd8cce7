"""What is known to pass by itself, and what is never tried again."""

from __future__ import annotations

import pytest
from judge_events import attempt, failed, not_proved, stats, step

from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.judge.fold import fold
from e2e_ansible.judge.transient import is_transient, passing_trouble, retry_delay
from e2e_ansible.steps.judgement import Judgement

PASSES = [
    "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1234 (apt-get)",
    "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?",
    "E: Unable to lock directory /var/lib/apt/lists/",
    "installing etcd-server failed: E: Failed to fetch http://deb.example.org/x.deb  Hash Sum mismatch",
    "E: Failed to fetch http://deb.example.org/x.deb  Temporary failure resolving 'deb.example.org'",
    "W: Failed to fetch http://deb.example.org/dists/bookworm/InRelease  Could not connect to deb.example.org:80 "
    "(192.0.2.80). - connect (111: Connection refused)",
    "E: Failed to fetch http://deb.example.org/x.deb  Connection timed out [IP: 192.0.2.80 80]",
    "E: Failed to fetch http://deb.example.org/x.deb  503  Service Unavailable [IP: 192.0.2.80 80]",
    "E: Failed to fetch http://deb.example.org/x.deb  502  Bad Gateway [IP: 192.0.2.80 80]",
    "E: Failed to fetch http://deb.example.org/x.deb  File has unexpected size (1 != 2). Mirror sync in progress?",
    "https://example.org/stroppy.tar.gz was not given: HTTP 503 Service Unavailable",
    "https://example.org/stroppy.tar.gz cannot be fetched: [Errno 104] Connection reset by peer",
    "https://example.org/stroppy.tar.gz cannot be fetched: [Errno -3] Temporary failure in name resolution",
    "Failed to connect to the host via ssh: kex_exchange_identification: read: Connection reset by peer",
    "Failed to connect to the host via ssh: Connection reset by 10.1.2.3 port 22",
    "aws: RunInstances: RequestLimitExceeded: Request limit exceeded.",
    "azure: no answer: ConnectTimeout",
    "hetzner: 429 Too Many Requests",
    "aws: RunInstances: Throttling: Rate exceeded",
    "https://example.org/stroppy.tar.gz was not given: HTTP 429 Too Many Requests",
    "digitalocean: 503 Service Unavailable",
]
STAYS = [
    "",
    "non-zero return code",
    "E: Unable to locate package postgresql-99",
    "E: Failed to fetch http://deb.example.org/x.deb  404  Not Found [IP: 192.0.2.80 80]",
    "E: Failed to fetch http://deb.example.org/pool/500/x_1.503-1.deb  404  Not Found [IP: 1.2.3.4 80]",
    "https://example.org/stroppy.tar.gz was not given: HTTP 404 Not Found",
    "https://example.org/x has the SHA-256 0503, and 0504 was expected",
    "No space left on device",
    "Error: etcdserver: too many requests",
    "could not get lock on the cluster: patroni is not running",
    "pg_basebackup: error: unable to lock the standby",
    "https://localhost:9090 does not answer after 30 s: [Errno 111] Connection refused",
    'connection to server at "10.1.2.3", port 5432 failed: Connection refused',
    "could not connect to server: Connection timed out",
    "http://10.1.2.3:8008/patroni: Connection refused",
    "psql: error: connection to server was lost: Connection reset by peer",
    "Failed to connect to the host via ssh: ssh: connect to host 10.1.2.3 port 22: No route to host",
    "Failed to connect to the host via ssh: ssh: connect to host 10.1.2.3 port 22: Connection timed out",
    "root@10.1.2.3: Permission denied (publickey).",
    "aws: RunInstances: UnauthorizedOperation: You are not authorized.",
    "E: Failed to fetch http://x/y.deb  404  Not Found\npsql: error: Connection refused",
    "W: Failed to fetch http://x/InRelease  Connection timed out\nE: Unable to locate package postgresql-99",
    "Err:1 http://x bookworm InRelease\n  Temporary failure resolving 'x'\n"
    "dpkg: error processing package postgresql-15 (--configure):\n installed postgresql-15 package "
    "post-installation script subprocess returned error exit status 1\n"
    "E: Sub-process /usr/bin/dpkg returned an error code (1)",
    "E: Failed to fetch http://x/y.deb  Connection timed out\ntar: write error: No space left on device",
]


@pytest.mark.parametrize("message", PASSES)
def test_it_passes_by_itself(message: str) -> None:
    assert is_transient(message)
    assert is_transient(f"first line\n{message}\nlast line")


@pytest.mark.parametrize("message", STAYS)
def test_it_stays(message: str) -> None:
    assert not is_transient(message)


def test_what_a_module_that_only_fetches_says_is_of_a_fetch() -> None:
    message = "Connection failure: The read operation timed out: Connection reset by peer"
    assert is_transient(message, "get_url")
    assert not is_transient(message, "uri")
    assert not is_transient("Request failed: HTTP Error 404: Not Found", "get_url")
    assert is_transient("Request failed: HTTP Error 502: Bad Gateway", "get_url")


def test_each_pause_is_twice_as_long() -> None:
    assert [retry_delay(number) for number in (1, 2, 3)] == [2, 4, 8]


def test_an_act_that_was_not_proved_is_no_trouble_that_passes() -> None:
    """Another node may have been struck, and is not struck a second time."""
    one = step(hosts=("n11", "n12"), judgement=Judgement(proofs=("n11", "n12"), transient_retries=3))
    locked = failed("n11", "E: Could not get lock /var/lib/dpkg/lock-frontend")
    missing = not_proved("n12")
    ended = attempt(Outcome(ended=Ended.COMPLETED, rc=2))
    assert passing_trouble(one, ended, fold(one, [locked, stats()]))
    assert not passing_trouble(one, ended, fold(one, [locked, missing, stats()]))
