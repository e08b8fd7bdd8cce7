"""The steps of a test, compiled in the order of the text, and the flow in which they run.

What is known here is which nodes may be down when a step begins. Where steps run at once or perhaps not at all, that
is the union of what may be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from e2e_ansible.compile.away import Away, changed
from e2e_ansible.compile.made import Made, StepTypes, played, shape_of
from e2e_ansible.compile.needs import StepGraph, first_of, needs_of
from e2e_ansible.compile.plan import FlowGroup, FlowItem, FlowStep, FlowWait
from e2e_ansible.compile.refusal import missing_nodes, refusal, removal_beside, removal_meanwhile, same_nodes
from e2e_ansible.errors import Problem, SuiteError, UnsupportedOperation, UsageError
from e2e_ansible.names import suggestion
from e2e_ansible.steps.base import CompileContext, CompiledStep
from e2e_ansible.steps.group import Shape
from e2e_ansible.steps.wait import WaitOptions
from e2e_ansible.suite.condition import Condition, parse_condition
from e2e_ansible.suite.model import Step, Test

__all__ = ["arrange"]

_NOT_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9]+")


def arrange(
    test: Test, labels: Mapping[str, tuple[str, ...]], step_types: StepTypes
) -> tuple[list[Made], tuple[FlowItem, ...]]:
    """All steps with a playbook, and how they run. Pure.

    Raises:
        SuiteError: steps that run at once act on the same node, a step cannot be what it is said to be, or a name in
            a `when` or `wait` is not known.
    """
    walk = _Walk(test, labels, step_types)
    flow = walk.sequence(test.steps, Away(set() if test.deployed else set(test.nodes)))
    if walk.problems:
        raise SuiteError(list(dict.fromkeys(walk.problems)))
    return walk.made, flow


class _Walk:
    def __init__(self, test: Test, labels: Mapping[str, tuple[str, ...]], step_types: StepTypes) -> None:
        self.made: list[Made] = []
        self.problems: list[Problem] = []
        self._test = test
        self._labels = labels
        self._nodes = test.nodes
        self._types = step_types
        self._width = max(2, len(str(sum(1 for _ in played(test.steps, step_types)))))
        self._names: dict[str, str] = {}
        self._felled: dict[str, tuple[str, ...]] = {}
        self._running: dict[str, tuple[Step, CompiledStep]] = {}
        self._groups = 0
        self._branches = 0
        self._phase = ""
        self._depth = 0

    def sequence(self, steps: Sequence[Step | Shape], state: Away) -> tuple[FlowItem, ...]:
        """Steps one after the other, or by their needs; what they began in the background ends with them."""
        before = set(self._running)
        if any(needs_of(step) is not None for step in steps):
            items = self._graph(steps, state)
        else:
            items = tuple(self._item(step, state) for step in steps)
        self._end_background([step for step in self._running if step not in before], state)
        return items

    def _item(self, step: Step | Shape, state: Away) -> FlowItem:
        shape = shape_of(step, self._types)
        if isinstance(step, Step) and (step.options.phase or not self._depth):
            self._phase = step.options.phase or ""
        if shape is not None:
            return self._group(step, shape, state)
        assert isinstance(step, Step)
        if isinstance(step.options, WaitOptions):
            return self._wait(step, step.options, state)
        return self._step(step, state)

    def _graph(self, steps: Sequence[Step | Shape], state: Away) -> tuple[FlowItem, ...]:
        """Steps by their needs; each sees as away what any other that may run meanwhile takes away."""
        graph = StepGraph(steps)
        items: list[FlowItem] = []
        branches: list[Away] = []
        spans: list[range] = []
        changes: dict[int, tuple[set[str], set[str]]] = {}
        for place, step in enumerate(steps):
            before = changed(
                state.away, [changes[each] for each in sorted(graph.behind[place] & changes.keys())]
            )
            branch, start = Away(set(before)), len(self.made)
            item = self._item(step, branch)
            items.append(graph.with_needs(item, place, items))
            branches.append(branch)
            spans.append(range(start, len(self.made)))
            if before != branch.away:
                changes[place] = (before - branch.away, branch.away - before)
        self._look_beside(graph, branches, spans)
        state.away = changed(state.away, changes.values())
        for branch in branches:
            state.join(branch)
        return tuple(items)

    def _look_beside(self, graph: StepGraph, branches: Sequence[Away], spans: Sequence[range]) -> None:
        """What may run at the same time: none of it removes the nodes, and no two act on the same one."""
        removals = {place: step for place, span in enumerate(spans) for step in self._removals(span)}
        beside: list[list[int]] = [[] for _ in branches]
        for one, other in graph.beside(removals):
            if branches[one].hit or branches[other].hit:
                self.problems += same_nodes([branches[one], branches[other]], self._nodes)
            beside[one].append(other)
            beside[other].append(one)
        for place, others in enumerate(beside):
            self._also_away(spans[place], {node for other in others for node in branches[other].took})
            if others and place in removals:
                self.problems.append(removal_meanwhile(removals[place], graph.told(others)))

    def _removals(self, span: range) -> Iterator[Step]:
        return (made.step for made in self.made[span.start : span.stop] if made.compiled.removes_nodes)

    def _also_away(self, span: range, others: Iterable[str]) -> None:
        for index in span:
            made = self.made[index]
            self.made[index] = replace(made, away=self._ordered({*made.away, *others}))

    def _step(self, step: Step, state: Away) -> FlowStep:
        compiled = self._compiled(step, state)
        suffix = _NOT_IN_FILE_NAMES.sub("-", step.options.name or step.label or step.type).strip("-")
        step_id = f"{len(self.made) + 1:0{self._width}d}-{suffix}"
        when = self._condition(step)
        away = self._ordered(state.away)
        said = self._description(step)
        self.made.append(Made(step, step_id, compiled, away, when, self._phase, said))
        if step.options.name:
            self._names[step.options.name] = step_id
        self.problems += missing_nodes(step, compiled, state.away, self._nodes)
        if compiled.removes_nodes:
            self.problems += removal_beside(step, branches=self._branches)
            self._end_background(list(self._running), state)
        self._touch(step, compiled, state)
        if step.options.background or step.watch:
            self._running[step_id] = (step, compiled)
        elif when is None:
            state.away -= set(compiled.brings_back)
        return FlowStep(step=step_id)

    def _description(self, step: Step) -> str:
        options = step.options
        named = options.description or options.name or step.label
        return options.description if named else self._types[step.type].about(options)

    def _compiled(self, step: Step, state: Away) -> CompiledStep:
        """What cannot be compiled is told with its place; what it does to nodes is not known, so that ends the walk."""
        try:
            return self._types[step.type].compile(step.options, self._context(state))
        except (SuiteError, UnsupportedOperation):
            raise
        except UsageError as error:
            self._complain(step, str(error), error.hint)
            raise SuiteError(list(dict.fromkeys(self.problems))) from error

    def _touch(self, step: Step, compiled: CompiledStep, state: Away) -> None:
        alone = Away(set())
        alone.touch(step, compiled)
        for other, its in self._running.values():
            beside = Away(set())
            beside.touch(other, its)
            self.problems += same_nodes([alone, beside], self._nodes)
        state.join(alone)
        state.away |= set(compiled.takes_away)
        for node in compiled.takes_away:  # what is healed later is only what a fault has done
            self._felled.pop(node, None)
            if compiled.faults:
                self._felled[node] = compiled.faults
        for index, made in enumerate(self.made) if self._running else ():
            if made.id in self._running:
                away = self._ordered({*made.away, *compiled.takes_away})
                self.made[index] = replace(made, away=away)

    def _end_background(self, ids: Sequence[str], state: Away) -> None:
        for step_id in ids:
            step, compiled = self._running.pop(step_id)
            if step.options.when is None:
                state.away -= set(compiled.brings_back)

    def _wait(self, step: Step, options: WaitOptions, state: Away) -> FlowWait:
        ids = [self._names.get(name, "") for name in options.for_]
        for name, step_id in zip(options.for_, ids, strict=True):
            if step_id not in self._running:
                self._complain(step, f"no step named {name!r} runs in the background here")
        self._end_background([step_id for step_id in ids if step_id in self._running], state)
        return FlowWait(steps=tuple(ids), source=step.source)

    @contextmanager
    def _perhaps(self, perhaps: bool = True) -> Iterator[None]:
        """What ran in the background before may run after this as well: nobody knows whether a wait was reached."""
        before = dict(self._running)
        yield
        if perhaps:
            self._running = {**before, **self._running}

    def _group(self, step: Step | Shape, shape: Shape, state: Away) -> FlowGroup:
        self._groups += 1
        name = (step.options.name or "") if isinstance(step, Step) else ""
        suffix = f"-{_NOT_IN_FILE_NAMES.sub('-', name).strip('-')}" if name else ""
        group_id = f"group-{self._groups}{suffix}"
        when = self._condition(step) if isinstance(step, Step) else None
        self._depth += 1
        with self._perhaps(when is not None or shape.on_rescue == "continue"):
            body, rescue, final, after = self._parts(shape, state)
        self._depth -= 1
        state.away = after if when is None else after | state.away
        if name:
            self._names[name] = group_id
        return FlowGroup(
            id=group_id,
            name=name,
            parallel=shape.parallel,
            body=body,
            rescue=rescue,
            final=final,
            source=(step if isinstance(step, Step) else first_of(shape)).source,
            on_rescue=shape.on_rescue,
            when=when,
        )

    def _parts(
        self, shape: Shape, state: Away
    ) -> tuple[tuple[FlowItem, ...], tuple[FlowItem, ...], tuple[FlowItem, ...], set[str]]:
        """Body, rescue and end, and the nodes that may be down after them."""
        inner, phase = Away(set(state.away)), self._phase
        body = self._branches_of(shape, inner) if shape.parallel else self.sequence(shape.body, inner)
        # Nobody knows how far the body came, nor the rescue.
        rescued = Away(state.away | inner.away | inner.took)
        self._phase = phase  # a step in the body may have had one of its own
        with self._perhaps():
            rescue = self.sequence(shape.rescue, rescued)
        begun = rescued.away | inner.away | rescued.took
        ending = Away(set(begun))
        final = self.sequence(shape.final, ending)
        after = inner.away | rescued.away if shape.on_rescue == "continue" else inner.away
        after = (after - (begun - ending.away)) | (ending.took & ending.away)
        for each in (inner, rescued, ending):
            state.join(each)
        return body, rescue, final, after

    def _branches_of(self, shape: Shape, state: Away) -> tuple[FlowItem, ...]:
        """The items of a parallel group; each sees as away what any other may take away."""
        self._branches += 1
        items: list[FlowItem] = []
        branches: list[Away] = []
        spans: list[range] = []
        for step in shape.body:
            branch, start = Away(set(state.away)), len(self.made)
            items += self.sequence([step], branch)
            branches.append(branch)
            spans.append(range(start, len(self.made)))
        self._branches -= 1
        self.problems += same_nodes(branches, self._nodes)
        for span, own in zip(spans, branches, strict=True):
            self._also_away(span, {node for branch in branches if branch is not own for node in branch.took})
        back = {node for branch in branches for node in state.away - branch.away}
        gone = {node for branch in branches for node in branch.away - state.away}
        state.away = (state.away - back) | gone
        for branch in branches:
            state.join(branch)
        return tuple(items)

    def _condition(self, step: Step) -> Condition | None:
        if step.options.when is None:
            return None
        condition = parse_condition(step.options.when)
        if condition.op not in ("passed", "failed"):
            return condition
        if condition.left not in self._names:
            hint = suggestion(condition.left, self._names)
            self._complain(step, f"no step before is named {condition.left!r}", hint)
        return condition.model_copy(update={"left": self._names.get(condition.left, "")})

    def _complain(self, step: Step, text: str, hint: str = "") -> None:
        self.problems.append(refusal(step, text, hint))

    def _context(self, state: Away) -> CompileContext:
        test = self._test
        return CompileContext(
            provider=test.entry.provider,
            nodes=self._nodes,
            labels=self._labels,
            parameters=test.entry.parameters,
            primary=test.primary,
            contexts=test.contexts,
            away=self._ordered(state.away),
            felled={node: self._felled[node] for node in self._ordered(self._felled)},
        )

    def _ordered(self, nodes: Iterable[str]) -> tuple[str, ...]:
        there = set(nodes)
        return tuple(node for node in self._nodes if node in there)
