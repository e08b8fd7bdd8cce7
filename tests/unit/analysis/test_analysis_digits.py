"""What is written does not depend on how a version of Python adds up."""

from __future__ import annotations

import math

from pydantic import BaseModel

from e2e_ansible.analysis.digits import settled


class Inner(BaseModel):
    values: tuple[float, ...] = ()
    by_name: dict[str, float | None] = {}


class Outer(BaseModel):
    name: str
    count: int
    value: float
    inner: list[Inner] = []


def test_numbers_that_differ_in_what_means_nothing_are_the_same() -> None:
    one = Outer(name="0.1234567890123456", count=10**15 + 1, value=0.1 + 0.2)
    assert settled(one) == one.model_copy(update={"value": 0.3})
    assert settled(Outer(name="", count=0, value=math.fsum([0.1] * 10))).value == 1.0


def test_all_that_is_below_is_settled() -> None:
    inner = Inner(values=(1 / 3, math.inf), by_name={"a": 2 / 3, "b": None})
    made = settled(Outer(name="", count=1, value=1, inner=[inner]))
    assert made.inner[0].values == (0.333333333333, math.inf)
    assert made.inner[0].by_name == {"a": 0.666666666667, "b": None}
