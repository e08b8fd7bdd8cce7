"""Loading and compiling stay within a few times what PyYAML takes for the same text: a ratio, never a time."""

from __future__ import annotations

from benchmarks.compile import measure


def test_many_steps_are_loaded_and_compiled_fast() -> None:
    found = measure(200, 3)
    assert found.load_ratio < 15
    assert found.compile_ratio < 1.5


def test_time_grows_with_the_number_of_steps_only() -> None:
    few, many = measure(50, 3), measure(400, 3)
    assert (many.load + many.compile) / (few.load + few.compile) < 8 * 4
