"""`replica_lag_below:BYTES`: every replica has replayed all but that much of what its primary has written."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.api import Check, Outcome, Situation, failed, passed, unknown

__all__ = ["REPLICA_LAG_BELOW"]


def _replica_lag_below(situation: Situation, arguments: Sequence[str]) -> Outcome:
    """Pure: it sees what was observed and does nothing, so that a run can be judged again from its folder."""
    if not arguments[0].isdecimal():
        return unknown(f"{arguments[0]!r} is no number of bytes")
    limit = int(arguments[0])
    lags = _lags(situation)
    late = [f"{name} is {lag} bytes behind" for name, lag in lags.items() if lag is not None and lag >= limit]
    if late:
        return failed(", ".join(late))
    unread = [name for name, lag in lags.items() if lag is None]
    if unread or not lags:
        return unknown(f"no lag is known of {', '.join(unread) or 'any replica'}")
    return passed(f"less than {limit} bytes behind: {', '.join(lags)}")


def _lags(situation: Situation) -> dict[str, int | None]:
    servers = [node.postgres for node in situation.databases if node.postgres is not None]
    return {replica.name: replica.lag_bytes for server in servers for replica in server.replicas}


REPLICA_LAG_BELOW = Check(
    name="replica_lag_below",
    description="Every replica is less than BYTES behind its primary",
    evaluate=_replica_lag_below,
    arguments=("bytes",),
    required_arguments=1,
)
