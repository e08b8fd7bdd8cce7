"""Loading and compiling stay within a few times what PyYAML takes for the same text: a ratio, never a time."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "compile.py"


@pytest.fixture(scope="module")
def benchmark_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compile_benchmark", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_many_steps_are_loaded_and_compiled_fast(benchmark_module: ModuleType) -> None:
    found = benchmark_module.measure(200, 3)
    assert found.load_ratio < 15
    assert found.compile_ratio < 1.5


def test_time_grows_with_the_number_of_steps_only(benchmark_module: ModuleType) -> None:
    few, many = benchmark_module.measure(50, 3), benchmark_module.measure(400, 3)
    assert (many.load + many.compile) / (few.load + few.compile) < 8 * 4


def test_the_table_is_printed(
    benchmark_module: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["compile.py", "10"])
    benchmark_module.main()
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "10",
        "load",
        "compile",
        "hash",
        "together",
    ]
