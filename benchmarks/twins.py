"""The healthy twins of the planted defects, again and again: each must stay green.

    python -m benchmarks.twins [ROUNDS]

Without a number 20 rounds, which take half an hour. It ends with 1 if one was not green, and says why.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.measure import table
from e2e_ansible import api

SUITES = Path(__file__).parents[1] / "suites" / "planted"


def twins() -> list[api.Plan]:
    """The last test of each suite: its matrix names the defect first."""
    return [api.plan(api.load(path))[-1] for path in sorted(SUITES.glob("*.yaml"))]


def main() -> int:
    """Run all of them so many times."""
    rounds, number = int(sys.argv[1]) if len(sys.argv) > 1 else 20, 0
    green: Counter[str] = Counter()
    plans = twins()
    with tempfile.TemporaryDirectory(prefix="twins-", dir="/tmp") as runs:
        for number in range(1, rounds + 1):
            result = api.run(plans, runs=runs, parallel=2)
            for test in result.tests:
                green[test.name] += test.verdict is api.Verdict.PASS
                if test.verdict is not api.Verdict.PASS:
                    print(
                        f"round {number}: {test.name}: {test.verdict}, {test.cause}: {test.error}", flush=True
                    )
            print(f"round {number} of {rounds} is over", flush=True)
            if result.cause is api.Cause.INTERRUPT:
                break
    print(table(["twin", "runs", "green"], [[plan.name, number, green[plan.name]] for plan in plans]))
    return 0 if all(green[plan.name] == rounds for plan in plans) else 1


if __name__ == "__main__":
    sys.exit(main())
