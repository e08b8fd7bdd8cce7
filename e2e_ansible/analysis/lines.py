"""What statistics say, in lines for people."""

from __future__ import annotations

import math
from collections.abc import Iterator

from e2e_ansible.analysis.change import Change, Comparison
from e2e_ansible.analysis.flake import Flake, Steadiness
from e2e_ansible.analysis.percentiles import Percentiles
from e2e_ansible.analysis.proportion import LEVEL, Proportion, trials_needed
from e2e_ansible.analysis.rule import Method, Outcome

__all__ = [
    "change_words",
    "comparison_lines",
    "flake_line",
    "floored",
    "percentile_line",
    "raised",
    "rate_sentence",
]

_DIGITS = 4


def _digits(share: float) -> int:
    """So many that what is neither never nor always is not rounded to that."""
    near = min(share, 1 - share)
    if near <= 0:
        return 0
    return next((few for few in range(_DIGITS) if near > 10 ** -(few + 2)), _DIGITS)


def floored(share: float) -> str:
    """A share in percent, rounded down: what is shown is never said too high. As many digits as 99.97 or 0.03 need."""
    digits = _digits(share)
    # What was computed may stand a bit below a round number.
    return f"{math.floor(share * 100 * 10**digits + 1e-9) / 10**digits:.{digits}f} %"


def raised(share: float) -> str:
    """A share in percent, rounded up; as many digits as 99.97 or 0.03 need."""
    digits = _digits(share)
    return f"{math.ceil(share * 100 * 10**digits - 1e-9) / 10**digits:.{digits}f} %"


def _asked(share: float) -> str:
    return f"{share * 100:.6g} %"


def rate_sentence(found: Proportion, asked: float = LEVEL) -> str:
    """What a rate shows of the rate that was asked for: `20 of 20 shows at least 86 %, not 95 %`.

    Both bounds are one-sided. What was not known counts as a failure below and as a pass above.
    """
    tally = found.tally
    if found.rate is None:
        return f"0 of 0 shows nothing, not {_asked(asked)}"
    open_ = f" ({tally.unknown} not known)" if tally.unknown else ""
    begin = f"{tally.passed} of {tally.trials}{open_} shows"
    if found.at_least >= asked:
        return f"{begin} at least {floored(found.at_least)}"
    if found.at_most < asked:
        return f"{begin} at most {raised(found.at_most)}, less than {_asked(asked)}"
    return f"{begin} at least {floored(found.at_least)}, not {_asked(asked)}{_more(found, asked)}"


def _more(found: Proportion, asked: float) -> str:
    """How many more it would take, if all of them passed."""
    if not 0 < asked < 1:
        return ""
    misses = found.tally.failed + found.tally.unknown
    more = trials_needed(asked, misses, found.level) - found.tally.trials
    return f"; {more} more in a row would" if more > 0 else ""


def percentile_line(name: str, found: Percentiles, unit: str = "s") -> str:
    """`activation  P50 12.1s (11.0 to 13.2)  P99 20.4s (18.1 to ?)  of 20`; `?`: so few values have no bound."""
    if not found.count:
        return f"{name}  no values"
    parts = [
        f"{one.name} {_number(one.value)}{unit} ({_bound(one.low)} to {_bound(one.high)})"
        for one in found.all
    ]
    return "  ".join([name, *parts, f"of {found.count}"])


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _bound(value: float | None) -> str:
    return "?" if value is None else _number(value)


def flake_line(found: Flake) -> str:
    """`stop: flaky, 2 of 40 failed, between 0.6 % and 17 %`; of a steady step how often it may fail all the same."""
    failing = found.failing
    open_ = f", {found.undecided} not known" if found.undecided else ""
    if found.steadiness is Steadiness.UNKNOWN:
        return f"{found.step}: unknown{open_ or ', never run'}"
    seen = f"{found.step}: {found.steadiness}, {failing.tally.passed} of {failing.tally.trials} failed"
    if failing.tally.trials == 1:  # it shows next to nothing
        return f"{seen}{open_}"
    if found.steadiness is Steadiness.STEADY:
        return f"{seen}, at most {raised(failing.at_most)}{open_}"
    if found.steadiness is Steadiness.BROKEN:
        return f"{seen}, at least {floored(failing.at_least)}{open_}"
    return f"{seen}, between {floored(failing.low)} and {raised(failing.high)}{open_}"


_ORDER = (Outcome.REGRESSION, Outcome.INCONCLUSIVE, Outcome.IMPROVEMENT, Outcome.NO_CHANGE)


def comparison_lines(found: Comparison) -> Iterator[str]:
    """A heading, the metrics with regressions first, what only one side has, and the rule in a sentence."""
    yield f"{found.outcome}: {found.name} against {', '.join(found.baselines)}"
    for outcome in _ORDER:
        for one in found.changes:
            if one.outcome is outcome:
                yield f"  {_change_line(one)}"
    for names, where in ((found.only_before, "baseline"), (found.only_after, "new run")):
        if names:
            yield f"  only in the {where}: {', '.join(names)}"
    yield _rule_line(found)


def _change_line(one: Change) -> str:
    return f"{one.outcome}: {one.metric} {change_words(one)}: {one.reason}"


def change_words(one: Change) -> str:
    """From what to what it moved, and by how much: `10.2s to 12.4s (+21.6 %, +18.0 to +25.1)`."""
    rate = one.kind == "rate"
    before, after = (
        (_rate(one.before), _rate(one.after)) if rate else (_value(one.before, one), _value(one.after, one))
    )
    return f"{before} to {after}{_size(one)}"


def _rate(share: float) -> str:
    return f"{share * 100:.1f} %"


def _value(value: float, one: Change) -> str:
    return f"{_number(value)}{one.unit}"


def _size(one: Change) -> str:
    """By how much it moved: rates in points, others in percent of the baseline where there is one."""
    scale = 100 if one.kind == "rate" else (100 / abs(one.before) if one.before else 1)
    unit = " points" if one.kind == "rate" else (" %" if one.before else one.unit)
    if one.p is None:
        return f" ({one.change * scale:+.1f}{unit})"
    low = "?" if one.low is None else f"{one.low * scale:+.1f}"
    high = "?" if one.high is None else f"{one.high * scale:+.1f}"
    return f" ({one.change * scale:+.1f}{unit}, {low} to {high})"


def _rule_line(found: Comparison) -> str:
    rule = found.rule
    if rule.method is Method.RATIO:
        points = f"{rule.points * 100:g} points"
        return f"ratio rule: {rule.ratio:g} times as long or {points} less often; it does not know the noise"
    return (
        f"what matters: {rule.matters * 100:g} %, of rates {rule.points * 100:g} points; "
        f"at most {rule.alpha * 100:g} of 100 comparisons alarm falsely, of all {len(found.changes)} metrics together"
    )
