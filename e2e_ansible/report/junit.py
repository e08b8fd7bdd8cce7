"""The JUnit report: a test suite per test, a test case per step, for CI systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from xml.etree import ElementTree

from e2e_ansible.judge.result import RunResult, StepResult, TestResult
from e2e_ansible.report.finding import allowed, check_words, findings
from e2e_ansible.report.numbers import numbers_of_step, numbers_of_test
from e2e_ansible.report.sight import sights
from e2e_ansible.report.words import (
    Mark,
    cause_words,
    clean,
    join_path,
    mark_of,
    said_of,
    shorten,
    stamp,
    verdict_words,
)
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["junit_xml"]

_SUITE_ENDINGS = (".yaml", ".yml", ".json")
_LINE_LENGTH = 200


#: A result that was written before reasons were.
_NO_REASON = "the run ended before this test began"


def junit_xml(result: RunResult, *, folder: str = "") -> str:
    """The run as JUnit XML. Attached files are named relative to the run folder, or to where `folder` starts.

    A step that failed by the product is a failure; by anything else, or unknown, an error. A test other than
    pass always has one of them: if no step shows it, a case named `test` does; likewise `run` for the run.
    What clients went through are properties: of a test all of it, of a step what its faults did and what it judged.
    """
    suites = [_suite(test, result, folder) for test in result.tests]
    reasons = {each.name: each.reason for each in result.left_out}
    suites += [_not_run(name, reasons.get(name, _NO_REASON), result) for name in result.not_run]
    if not any(_is_bad(case) for suite in suites for case in suite.cases):
        suites += _run_case(result)
    root = ElementTree.Element("testsuites", {"name": clean(result.suite)})
    _totals(root, [case for suite in suites for case in suite.cases], result.duration)
    root.extend(suite.element for suite in suites)
    ElementTree.indent(root, " ")
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


@dataclass(frozen=True)
class _Suite:
    element: ElementTree.Element
    cases: list[ElementTree.Element]


def _suite(test: TestResult, result: RunResult, folder: str) -> _Suite:
    owner = _class_name(result, test.name)
    cases = [_case(step, test, owner, join_path(folder, test.folder)) for step in test.workflow_steps]
    if test.verdict is not Verdict.PASS and not any(_is_bad(case) for case in cases):
        cases.append(_test_case(test, owner))
    element = _element("testsuite", name=test.name, timestamp=stamp(test.started).removesuffix("Z"))
    _totals(element, cases, test.duration)
    _properties(element, test, result)
    element.extend(cases)
    evidence = [_attachment(join_path(folder, test.folder, path)) for path in test.evidence]
    _text(element, "system-out", "\n".join([test.description, test.clean_up, *evidence]).strip())
    return _Suite(element, cases)


def _not_run(name: str, reason: str, result: RunResult) -> _Suite:
    case = _element("testcase", name="test", classname=_class_name(result, name), time="0.000")
    case.append(_element("skipped", message=reason))
    element = _element("testsuite", name=name)
    _totals(element, [case], 0)
    element.append(case)
    return _Suite(element, [case])


def _run_case(result: RunResult) -> list[_Suite]:
    """A case that keeps a run red which is no pass although none of its tests shows why."""
    if result.finished and result.verdict is Verdict.PASS:
        return []
    words = verdict_words(result.verdict, result.cause) if result.finished else "the run did not finish"
    case = _element("testcase", name="run", classname=_class_name(result, "run"), time="0.000")
    verdict = result.verdict if result.finished else Verdict.UNKNOWN
    case.append(_outcome(verdict, result.cause, words, words))
    element = _element("testsuite", name="run")
    _totals(element, [case], 0)
    element.append(case)
    return [_Suite(element, [case])]


def _is_bad(case: ElementTree.Element) -> bool:
    return any(case.find(tag) is not None for tag in ("failure", "error"))


def _case(step: StepResult, test: TestResult, owner: str, folder: str) -> ElementTree.Element:
    case = _element(
        "testcase",
        name=f"{step.index:02} {step.step_type}: {said_of(step)}".removesuffix(": "),
        classname=owner,
        time=f"{step.duration:.3f}",
        file=step.source.file,
        line=str(step.source.line),
    )
    _add_properties(case, dict(numbers_of_step(step, test)))
    mark = mark_of(step)
    if mark in (Mark.SKIPPED, Mark.PENDING):
        case.append(_element("skipped", message=step.error or step.omitted or mark.value))
    elif mark is not Mark.PASS:
        found = findings(step)
        body = "\n".join(f"{finding.label}: {finding.text}" for finding in found)
        first = found[0].text.partition("\n")[0]
        case.append(_outcome(step.verdict or Verdict.UNKNOWN, step.cause, first, body))
    _text(case, "system-out", "\n".join(_output(step, folder)))
    return case


def _test_case(test: TestResult, owner: str) -> ElementTree.Element:
    case = _element("testcase", name="test", classname=owner, time="0.000")
    words = verdict_words(test.verdict, test.cause)
    error = test.error or words
    body = "\n".join([words, error, test.clean_up])
    case.append(_outcome(test.verdict, test.cause, error.partition("\n")[0], body))
    return case


def _outcome(verdict: Verdict, cause: Cause | None, message: str, body: str) -> ElementTree.Element:
    product = verdict is Verdict.FAIL and cause is Cause.PRODUCT
    kind = cause.value if cause is not None else verdict.value
    element = _element("failure" if product else "error", type=kind, message=message)
    why = cause_words(cause)
    element.text = clean(f"{why}\n{body}" if why else body).strip()
    return element


def _output(step: StepResult, folder: str) -> list[str]:
    lines = [f"allowed: {check_words(check)}" for check in allowed(step.validation_results)]
    lines += [f"proof: {proof.act} of {proof.host}: {proof.how}" for proof in step.proofs if proof.proved]
    if step.observation is not None:
        lines += [shorten(str(sight), lines=1, characters=_LINE_LENGTH) for sight in sights(step.observation)]
    return [*lines, _attachment(join_path(folder, step.log))] if step.log else lines


def _properties(element: ElementTree.Element, test: TestResult, result: RunResult) -> None:
    pairs = {
        "run_id": result.run_id,
        "provider": test.provider,
        "plan_hash": test.plan_hash,
        "deployment_id": test.deployment_id,
        "verdict": test.verdict.value,
        "cause": test.cause.value if test.cause else "",
        **({"time_class": test.time_class} if test.time_class else {}),
        **dict(numbers_of_test(test)),
    }
    _add_properties(element, pairs)


def _add_properties(element: ElementTree.Element, pairs: Mapping[str, str]) -> None:
    if pairs:
        properties = ElementTree.SubElement(element, "properties")
        for name, value in pairs.items():
            properties.append(_element("property", name=name, value=value))


def _totals(element: ElementTree.Element, cases: list[ElementTree.Element], seconds: float) -> None:
    element.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    element.set("time", f"{seconds:.3f}")


def _class_name(result: RunResult, test: str) -> str:
    name = PurePosixPath(result.suite).name
    for ending in _SUITE_ENDINGS:
        name = name.removesuffix(ending)
    return f"{name}.{test}"


def _attachment(path: str) -> str:
    return f"[[ATTACHMENT|{path}]]"


def _element(tag: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.Element(tag, {name: clean(value) for name, value in attributes.items() if value})


def _text(parent: ElementTree.Element, tag: str, text: str) -> None:
    if text:
        ElementTree.SubElement(parent, tag).text = clean(text)
