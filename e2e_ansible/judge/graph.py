"""Directed graphs just large enough for dependencies between transactions: strong components and a path in one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

__all__ = ["components", "cycle_through", "path"]

Graph = Mapping[int, Collection[int]]


def components(graph: Graph) -> Iterator[frozenset[int]]:
    """The strongly connected components of more than one node, by Tarjan's algorithm without recursion."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    for root in graph:
        if root in index:
            continue
        work = [(root, iter(graph.get(root, ())))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, children = work[-1]
            child = next(children, None)
            if child is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    yield from _popped(node, stack, on_stack)
            elif child not in index:
                index[child] = low[child] = len(index)
                stack.append(child)
                on_stack.add(child)
                work.append((child, iter(graph.get(child, ()))))
            elif child in on_stack:
                low[node] = min(low[node], index[child])


def _popped(node: int, stack: list[int], on_stack: set[int]) -> Iterator[frozenset[int]]:
    found = set()
    while True:
        last = stack.pop()
        on_stack.discard(last)
        found.add(last)
        if last == node:
            break
    if len(found) > 1:
        yield frozenset(found)


def path(follow: Callable[[int], Iterable[int]], start: int, end: int) -> list[int] | None:
    """A shortest path from `start` to `end`, both included; None if there is none."""
    before: dict[int, int | None] = {start: None}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        if node == end:
            return _walked(before, end)
        for child in follow(node):
            if child not in before:
                before[child] = node
                queue.append(child)
    return None


def _walked(before: Mapping[int, int | None], end: int) -> list[int]:
    steps: list[int] = []
    at: int | None = end
    while at is not None:
        steps.append(at)
        at = before[at]
    return steps[::-1]


def cycle_through(graph: Graph, members: frozenset[int]) -> list[int]:
    """A short cycle in a strong component, from its smallest node; that is not repeated at the end."""
    first = min(members)

    def inside(node: int) -> Iterable[int]:
        return (child for child in graph.get(node, ()) if child in members)

    ways = [path(inside, child, first) for child in inside(first)]
    *steps, _ = min((way for way in ways if way), key=len)
    return [first, *steps]
