"""Settings of Patroni that a suite may give: their names, kinds and bounds, known without a server."""

from __future__ import annotations

from collections.abc import Mapping

from e2e_ansible.names import suggestion

__all__ = ["check_settings"]

#: The defaults of the role `patroni`, in seconds.
_TIMES = {"ttl": 20, "loop_wait": 5, "retry_timeout": 5}
_LEAST = {
    "ttl": 3,
    "loop_wait": 1,
    "retry_timeout": 1,
    "maximum_lag_on_failover": 0,
    "maximum_lag_on_syncnode": -1,
    "max_timelines_history": 0,
    "primary_start_timeout": 0,
    "primary_stop_timeout": 0,
    "synchronous_node_count": 1,
}
_SWITCHES = ("check_timeline", "failsafe_mode")


def check_settings(given: Mapping[str, object]) -> None:
    """Refuse what Patroni would not take, or would not live with.

    Raises:
        ValueError: an unknown name, a value of the wrong kind or out of bounds, or times that do not fit together.
    """
    for name, value in given.items():
        if name in _LEAST:
            _check_number(name, value)
        elif name not in _SWITCHES:
            hint = suggestion(name, [*_LEAST, *_SWITCHES])
            raise ValueError(f"Patroni has no setting {name!r} that a suite may give; {hint}")
        elif not isinstance(value, bool):
            raise ValueError(f"{name} is true or false, not {value!r}")
    times = {name: given.get(name, default) for name, default in _TIMES.items()}
    ttl, loop_wait, retry_timeout = (int(str(times[name])) for name in _TIMES)
    if loop_wait + 2 * retry_timeout > ttl:
        text = f"{loop_wait} + 2 * {retry_timeout} > {ttl}"
        raise ValueError(f"loop_wait + 2 * retry_timeout must not be more than ttl, here {text}")


def _check_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < _LEAST[name]:
        raise ValueError(f"{name} is a whole number from {_LEAST[name]} on, not {value!r}")
