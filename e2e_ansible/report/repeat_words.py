"""Repeated tests in words: what their passes show, and how often which step fails."""

from __future__ import annotations

from collections.abc import Iterator

from e2e_ansible.analysis.flake import Flake, Steadiness
from e2e_ansible.analysis.lines import flake_line, floored, raised
from e2e_ansible.analysis.repeats import RepeatResult
from e2e_ansible.report.words import count

__all__ = ["failing_words", "repeat_lines", "repeat_sentence"]


def repeat_sentence(one: RepeatResult) -> str:
    """`18 of 20 shows at least 71 %, not 95 %; 2 of the failures were not the product's; 1 was cut off`."""
    said = [one.sentence]
    if one.not_product:
        said.append(f"{count(one.not_product, 'failure')} not by the product")
    if one.cut_off:
        said.append(f"{one.cut_off} cut off or never begun, which say nothing")
    return "; ".join(said)


def repeat_lines(one: RepeatResult) -> Iterator[str]:
    """The sentence, each step that failed at least once, and in one line the others."""
    yield f"{one.test}: {repeat_sentence(one)}"
    steady = [step for step in one.steps if step.steadiness is Steadiness.STEADY]
    for step in one.steps:
        if step.steadiness is not Steadiness.STEADY:
            yield f"  {flake_line(step)}"
    if steady:
        worst = max(step.failing.at_most for step in steady)
        others = count(len(steady), "step") if len(steady) == len(one.steps) else f"{len(steady)} others"
        yield f"  {others} never failed; each may still fail in up to {raised(worst)} of all runs"


def failing_words(step: Flake) -> str:
    """Between which rates a step fails, as its table has it."""
    if step.failing.rate is None:
        return "unknown"
    if step.steadiness is Steadiness.STEADY:
        return f"at most {raised(step.failing.at_most)}"
    if step.steadiness is Steadiness.BROKEN:
        return f"at least {floored(step.failing.at_least)}"
    return f"{floored(step.failing.low)} to {raised(step.failing.high)}"
