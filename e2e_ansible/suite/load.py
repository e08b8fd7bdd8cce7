"""Load a suite file: all its tests, typed and expanded, or all its problems at once. Nothing is started."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from e2e_ansible.errors import UsageError
from e2e_ansible.names import nearest, suggestion
from e2e_ansible.suite.complaint import Subject, complain, field_names
from e2e_ansible.suite.database import lint_database
from e2e_ansible.suite.document import read_bytes, read_document
from e2e_ansible.suite.expand import Expanded, expand
from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.lint import lint
from e2e_ansible.suite.machines import lint_machines
from e2e_ansible.suite.model import Contexts, SourceRef, Step, Suite, Test, TestEntry
from e2e_ansible.suite.parameters import Scalar
from e2e_ansible.suite.value import Place, Value, plain, shown
from e2e_ansible.suite.vocabulary import Vocabulary
from e2e_ansible.suite.workflow import TypedStep, read_workflow

__all__ = ["load_suite", "parse_suite"]

_SUITES, _WORKFLOW, _SCHEMA = "test_suites", "workflow", "$schema"
_LINTED = ("cluster_size", "sites", "database", "connection", "admin_ui", "backup", "proxy", "exporter")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")


def load_suite(
    path: str | os.PathLike[str],
    *,
    vocabulary: Vocabulary | None = None,
    provider: str | None = None,
    contexts: Contexts | None = None,
    variables: Mapping[str, Scalar] | None = None,
    entry: str | None = None,
) -> Suite:
    """Read, check and expand a suite file.

    Args:
        path: the file, `.yml`, `.yaml` or `.json`; problems name it as it is given here.
        vocabulary: the known words; by default what is built in or registered.
        provider: use this one in place of what the tests say.
        contexts: the sites, the primary one first; by default in the order of the parameter `sites`.
        variables: values in place of those that the file gives to variables of these names.
        entry: only the tests of this entry of the file are read.

    Raises:
        SuiteError: the file has problems; it lists all of them.
        UnsupportedSteps: its only problems are steps the provider cannot do (also a NotImplementedError).
        UsageError: there is no such `provider`.
    """
    findings = Findings(os.fspath(path))
    content = read_bytes(Path(path), findings)
    findings.raise_if_any()
    return parse_suite(
        content or b"",
        path,
        vocabulary=vocabulary,
        provider=provider,
        contexts=contexts,
        variables=variables,
        entry=entry,
    )


def parse_suite(
    content: bytes,
    path: str | os.PathLike[str],
    *,
    vocabulary: Vocabulary | None = None,
    provider: str | None = None,
    contexts: Contexts | None = None,
    variables: Mapping[str, Scalar] | None = None,
    entry: str | None = None,
) -> Suite:
    """As `load_suite`, for content that has been read already; `path` only names it and gives its format."""
    words = vocabulary or Vocabulary.default()
    if provider is not None and provider not in words.providers:
        raise UsageError(
            f"there is no provider named {provider!r}", hint=suggestion(provider, words.providers)
        )
    file = Path(path)
    findings = Findings(os.fspath(path))
    root = read_document(content, file.suffix.lower(), findings)
    tests: list[Test] = []
    if root is not None:
        loader = _Loader(words, provider, contexts, findings, variables or {})
        for found in _entries(root, file.stem, findings):
            if entry in (None, found.name):
                tests.extend(loader.tests(found))
    findings.raise_if_any()
    return Suite(file=file, digest=hashlib.sha256(content).hexdigest(), tests=tuple(tests))


@dataclass(frozen=True)
class _Entry:
    name: str
    place: Place
    value: Value
    bare: bool = False


def _entries(root: Value, stem: str, findings: Findings) -> Iterator[_Entry]:
    if not isinstance(root.data, dict):
        findings.add(root, f"a suite must be a mapping with '{_SUITES}' or '{_WORKFLOW}', not {shown(root)}")
    elif _SUITES in root.data:
        yield from _named_entries(root, root.data, findings)
    elif _WORKFLOW in root.data:
        name = _NOT_IN_NAMES.sub("-", stem).strip("-_.")[:80] or "suite"
        without = {key: value for key, value in root.data.items() if key != _SCHEMA}
        yield _Entry(name, root, root.like(without), bare=True)
    else:
        _complain_shapeless(root, findings)


def _named_entries(root: Value, data: Mapping[str, Value], findings: Findings) -> Iterator[_Entry]:
    for key in data:
        if key == _WORKFLOW:
            findings.add(
                root.keys[key], f"'{_WORKFLOW}' cannot stand beside '{_SUITES}'", "move it into a test"
            )
        elif key not in (_SUITES, _SCHEMA):
            hint = "move it into a test" if key in field_names(TestEntry) else suggestion(key, [_SUITES])
            findings.add(root.keys[key], f"unknown key {shown(key)} beside '{_SUITES}'", hint)
    suites = data[_SUITES]
    if not isinstance(suites.data, dict):
        findings.add(suites, f"'{_SUITES}' must be a mapping of names to tests, not {shown(suites)}")
        return
    if not suites.data:
        findings.add(suites, f"'{_SUITES}' has no tests")
    for name, value in suites.data.items():
        place = suites.keys[name]
        if not _NAME.fullmatch(name):
            findings.add(
                place,
                f"{shown(name)} cannot be the name of a test",
                "it begins with a letter or digit and has only letters, digits, '_', '.' and '-', at most 80",
            )
        if isinstance(value.data, dict):
            yield _Entry(name, place, value)
        elif not value.broken:
            findings.add(value, f"test {shown(name)} must be a mapping, not {shown(value)}")


def _complain_shapeless(root: Value, findings: Findings) -> None:
    message = f"a suite needs '{_SUITES}' or '{_WORKFLOW}'"
    for key, mark in root.keys.items():
        near = nearest(key, (_SUITES, _WORKFLOW))
        if near is not None:
            findings.add(mark, f"unknown key {shown(key)}: {message}", f"did you mean {near!r}?")
            return
    findings.add(root, message)


@dataclass(frozen=True)
class _Loader:
    words: Vocabulary
    provider: str | None
    contexts: Contexts | None
    findings: Findings
    variables: Mapping[str, Scalar]

    def tests(self, found: _Entry) -> Iterator[Test]:
        """All tests of an entry that could be read; the others left problems."""
        positions = dict(_positions(found.value, "", self.findings.file))
        for expanded in expand(found.name, found.value, self.findings, self.contexts, self.variables):
            steps = read_workflow(expanded.name, expanded.value, self.words.step_types, self.findings)
            entry = self._entry(found, expanded)
            provider = self._provider(expanded.value)
            lint(steps, entry, provider, self.words, self.findings)
            lint_machines(expanded.value, entry, provider, self.findings)
            lint_database(steps, entry, provider, expanded.value, self.findings)
            if entry is not None and provider is not None:
                yield Test(
                    name=expanded.name,
                    entry=entry.model_copy(update={"provider": provider}),
                    steps=tuple(self._steps(steps)),
                    source=self._source(found.place),
                    positions=positions,
                    contexts=expanded.contexts,
                )

    def _entry(self, found: _Entry, expanded: Expanded) -> TestEntry | None:
        """The typed entry; when it is wrong, one of what lint looks at; None when that is wrong."""
        data = plain(expanded.value)
        data.pop(_WORKFLOW, None)
        try:
            return TestEntry.model_validate_json(json.dumps(data))
        except ValidationError as error:
            more = (_WORKFLOW, _SUITES) if found.bare else (_WORKFLOW,)
            what = "this suite" if found.bare else f"test {found.name!r}"
            complain(error, expanded.value, Subject(what, TestEntry, more), self.findings)
        given = data.get("parameters")
        parts = {key: given[key] for key in _LINTED if key in given} if isinstance(given, dict) else {}
        try:
            return TestEntry.model_validate_json(json.dumps({"parameters": parts}))
        except ValidationError:
            return None

    def _provider(self, value: Value) -> str | None:
        """The provider to use; None after noting a problem, here or with the rest of the entry."""
        given = value.get("provider")
        name = given.data if given else TestEntry().provider
        if not isinstance(name, str):
            return None
        if name in self.words.providers:
            return self.provider or name
        place = given or value
        if not place.broken:
            hint = suggestion(name, self.words.providers)
            self.findings.add(place, f"unknown provider {shown(name)}", hint)
        return None

    def _steps(self, steps: Iterable[TypedStep]) -> Iterator[Step]:
        for step in steps:
            if step.type is not None and step.options is not None:
                parts = {key: tuple(self._steps(part)) for key, part in step.parts.items()}
                yield Step(step.type.name, step.options, self._source(step.value), parts)

    def _source(self, place: Place) -> SourceRef:
        return SourceRef(file=self.findings.file, line=place.line, column=place.column)


def _positions(value: Value, pointer: str, file: str) -> Iterator[tuple[str, SourceRef]]:
    """Every value of an entry by its JSON pointer (RFC 6901), such as `/workflow/0/target_node`."""
    yield pointer, SourceRef(file=file, line=value.line, column=value.column)
    children: Any = ()
    if isinstance(value.data, dict):
        children = ((key.replace("~", "~0").replace("/", "~1"), item) for key, item in value.data.items())
    elif isinstance(value.data, list):
        children = enumerate(value.data)
    for part, item in children:
        yield from _positions(item, f"{pointer}/{part}", file)
