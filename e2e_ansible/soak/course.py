"""The plans of a soak: each part in both orders of the contexts, and each cycle with what is injected into it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from e2e_ansible.compile.compiler import compile_test
from e2e_ansible.compile.plan import Plan
from e2e_ansible.content import content_digest
from e2e_ansible.errors import UsageError
from e2e_ansible.soak.injection import inject, planned
from e2e_ansible.soak.options import PlannedInjection, SoakOptions
from e2e_ansible.soak.parts import CYCLE, END, SET_UP, Parts, only_test, refuse_part, split
from e2e_ansible.steps.base import StepType
from e2e_ansible.suite.model import Contexts, Suite, Test

__all__ = ["Course", "LoadSuite"]

#: Reads the suite, with only the tests that are meant, in this order of contexts; None takes that of the suite.
LoadSuite = Callable[[Contexts | None], Suite]


@dataclass
class _Order:
    suite: Suite
    test: Test
    parts: Parts
    plans: dict[str, Plan] = field(default_factory=dict)


@dataclass
class Course:
    """Compiles what a soak does; what was compiled once is not compiled again.

    Raises:
        SuiteError: the suite has problems, or a part cannot be done cycle after cycle.
        UsageError: it has no such contexts, several tests, or cannot have what is to be injected.
    """

    load: LoadSuite
    step_types: Mapping[str, StepType[Any]]
    options: SoakOptions
    _orders: dict[Contexts | None, _Order] = field(default_factory=dict)
    _digest: str = field(default_factory=content_digest)
    _last: tuple[Contexts | None, PlannedInjection, Plan] | None = None

    def __post_init__(self) -> None:
        first = self._order(self.options.contexts)
        self.name = first.test.name
        self.contexts = first.test.contexts
        if self.options.contexts and not self.contexts:
            raise UsageError(f"{self.name} has no contexts", hint="give it the parameter sites")
        self.plans()
        for injection in self.options.schedule or ():
            planned(self.options, first.parts.cycle, injection.cycle)
        planned(self.options, first.parts.cycle, 1)

    @property
    def variables(self) -> Mapping[str, object]:
        """Those of the test, by name."""
        return self._order(self.contexts).test.entry.variables

    @property
    def shared(self) -> bool:
        """Whether all cycles have the same nodes."""
        return self._order(self.contexts).parts.shared

    def plans(self) -> Mapping[str, Plan]:
        """Every plan without an injection, by part and contexts."""
        first = self.contexts
        orders: list[Contexts | None] = [first, (first[1], first[0])] if first else [None]
        return {
            " ".join((part, *(contexts or ()))): plan
            for contexts in orders
            for part in (SET_UP, CYCLE, END)
            if (plan := self.plan(part, contexts)) is not None
        }

    def plan(self, part: str, contexts: Contexts | None) -> Plan | None:
        """The plan of a part, None when it has no steps."""
        order = self._order(contexts)
        test = {SET_UP: order.parts.setup, CYCLE: order.parts.cycle, END: order.parts.end}[part]
        if test is not None and part not in order.plans:
            plan = self._compiled(order.suite, test)
            refuse_part(plan, part, shared=order.parts.shared)
            order.plans[part] = plan
        return order.plans.get(part)

    def cycle(self, number: int, contexts: Contexts | None) -> tuple[Plan, PlannedInjection | None]:
        """The plan of a cycle, and what is injected into it."""
        order = self._order(contexts)
        injection = planned(self.options, order.parts.cycle, number)
        if injection is None:
            plan = self.plan(CYCLE, contexts)
            assert plan is not None
            return plan, None
        if self._last is None or self._last[:2] != (contexts, injection):
            made = self._compiled(order.suite, inject(order.parts.cycle, injection))
            self._last = (contexts, injection, made)
        return self._last[2], injection

    def _order(self, contexts: Contexts | None) -> _Order:
        if contexts not in self._orders:
            suite = self.load(contexts)
            test = only_test(suite.tests)
            order = _Order(suite, test, split(test))
            self._orders[contexts] = self._orders[test.contexts] = order
        return self._orders[contexts]

    def _compiled(self, suite: Suite, test: Test) -> Plan:
        return compile_test(suite, test, self.step_types, content_digest=self._digest)
