"""How long a suite of many steps takes to load and to compile, beside what PyYAML takes for the same text.

Loading is compared with PyYAML's C loader on the same suite, compiling with its `safe_dump` (in Python) and its C
dumper on the same playbooks. Each number is the best of several rounds, taken by turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from benchmarks.measure import table
from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.plan import Plan
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.vocabulary import Vocabulary

ROUNDS = 5
_WORKFLOW = """\
- {step: validate, checks: [cluster_status, "node_status:n12:running"], retry: {max_attempts: 5, delay_seconds: 1}}
- {step: crash_node, target_node: n12, description: Crash the replica}
- {step: start_node, target_node: n12}
- {step: custom_command, custom_command: [psql, -c, "select '{{ 7*7 }}' as text"], targets: [n11], register: REGISTER}
- {step: custom_command, custom_command: [echo, "it was ${steps.REGISTER.stdout}"]}
- {step: restart_node, target_node: n13, method: graceful, timeout_seconds: 600}
- {step: stop_cluster}
- {step: start_cluster}
- {step: deploy}
- {step: validate, checks: [data_integrity, database_running], allow_failures: [admin_ui_accessible]}
"""


@dataclass(frozen=True)
class Figures:
    """Seconds, best of all rounds."""

    steps: int
    load: float
    load_yaml: float
    compile: float
    hash: float
    dump_python: float
    dump_c: float

    @property
    def load_ratio(self) -> float:
        """How many times the plain YAML loader our loading takes."""
        return self.load / self.load_yaml

    @property
    def compile_ratio(self) -> float:
        """How many times `yaml.safe_dump` compiling takes."""
        return self.compile / self.dump_python


def suite_text(steps: int) -> str:
    """A suite with so many steps of all kinds, in block style as people write it."""
    lines: list[str] = []
    while len(lines) < steps:
        lines.extend(_WORKFLOW.replace("REGISTER", f"r{len(lines)}").splitlines())
    chosen: Any = yaml.safe_load("\n".join(lines[:steps]))
    text: str = yaml.safe_dump({"workflow": chosen}, sort_keys=False)
    return text


def measure(steps: int, rounds: int) -> Figures:
    """Load and compile a suite, and let PyYAML read and write the same."""
    words, text = Vocabulary.default(), suite_text(steps)
    suite = parse_suite(text.encode(), "suite.yml", vocabulary=words)
    (plan,) = compile_suite(suite, words.step_types)
    playbooks = _playbooks(plan)
    jobs: Mapping[str, Callable[[], object]] = {
        "load": lambda: parse_suite(text.encode(), "suite.yml", vocabulary=words),
        "load_yaml": lambda: yaml.load(text, yaml.CSafeLoader),
        "compile": lambda: compile_suite(suite, words.step_types),
        "hash": lambda: plan.hash,
        "dump_python": lambda: [yaml.safe_dump(item, sort_keys=False) for item in playbooks],
        "dump_c": lambda: [yaml.dump(item, Dumper=yaml.CSafeDumper, sort_keys=False) for item in playbooks],
    }
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(rounds):
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            best[name] = min(best[name], time.perf_counter() - started)
    return Figures(steps=steps, **best)


def _playbooks(plan: Plan) -> list[Any]:
    texts = (text for name, text in plan.files.items() if name.startswith("playbooks/"))
    return [yaml.safe_load(text.replace("!unsafe ", "")) for text in texts]


def report(steps: int) -> str:
    """The figures as a table: seconds, best of several rounds."""
    found = measure(steps, ROUNDS)
    rows = [
        ["load", f"{found.load:.3f}", f"{found.load_ratio:.2f} x PyYAML's CSafeLoader on the same text"],
        [
            "compile",
            f"{found.compile:.3f}",
            f"{found.compile_ratio:.2f} x PyYAML's safe_dump of the playbooks",
        ],
        ["hash", f"{found.hash:.3f}", ""],
        ["together", f"{found.load + found.compile + found.hash:.3f}", ""],
    ]
    return table([f"{steps} steps", "s", "against"], rows)
