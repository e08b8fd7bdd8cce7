"""The graph of a plan for terminals and as data: its levels, what each step waits for, and the critical path."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from e2e_ansible.compile.course import Course, course_of, is_graph
from e2e_ansible.compile.plan import Plan
from e2e_ansible.report.lines import print_lines
from e2e_ansible.report.table import print_table
from e2e_ansible.report.words import count, duration

__all__ = ["graph_data", "print_graph"]

_HEADINGS = ("", "level", "step", "at most", "after")
_CRITICAL, _ON_FAILURE = "*", "!"


def print_graph(console: Console, plan: Plan) -> None:
    """Print the graph of a plan; nothing for one whose steps run one after the other."""
    if not is_graph(plan):
        return
    course = course_of(plan)
    path, seconds = course.at_most()
    print_lines(console, [_title(course, seconds)])
    rows = [
        (
            _CRITICAL if node.step in path else _ON_FAILURE if node.on_failure else "",
            str(node.level),
            node.step,
            "its group" if node.watches else duration(node.seconds),
            ", ".join(node.after),
        )
        for node in course.nodes
    ]
    print_table(console, [_HEADINGS, *rows], wraps=4, right=(1, 3))
    lines = [f"critical path (*), at most {duration(seconds)}: {' > '.join(path)}"]
    lines += ["only after a failure: !"] if any(node.on_failure for node in course.nodes) else []
    print_lines(console, lines)


def graph_data(plan: Plan) -> dict[str, Any] | None:
    """The graph of a plan as JSON has it, seconds by deadlines; None for one whose steps run one after the other."""
    if not is_graph(plan):
        return None
    course = course_of(plan)
    path, seconds = course.at_most()
    return {
        "levels": course.levels,
        "steps": [
            {
                "step": node.step,
                "after": list(node.after),
                "level": node.level,
                "budget_seconds": node.seconds,
                "critical": node.step in path,
                "on_failure": node.on_failure,
            }
            for node in course.nodes
        ],
        "path": list(path),
        "budget_seconds": seconds,
        "summed_seconds": sum(course.budget.values()),
    }


def _title(course: Course, seconds: float) -> str:
    summed = sum(course.budget.values())
    words = f"graph: {count(len(course.nodes), 'step')} in {count(course.levels, 'level')}"
    return f"{words}; at most {duration(seconds)}, one by one {duration(summed)}"
