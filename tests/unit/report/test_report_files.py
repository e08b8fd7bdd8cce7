"""The JUnit and HTML reports: files for CI and for people, safe against what the runs put into them."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from report_script import SAMPLES, sample

from e2e_ansible.judge.result import RunResult, TestResult
from e2e_ansible.report.html import html
from e2e_ansible.report.junit import junit_xml
from e2e_ansible.verdict import Cause, Verdict

HOSTILE = (
    "</td><script>alert(1)</script>\"'& ]]> \x00\x08\x1b[31m\ufffe\udcff {{ 7*7 }} {% raw %} [[ATTACHMENT|x]]"
)


def junit(result: RunResult) -> ElementTree.Element:
    return ElementTree.fromstring(junit_xml(result).encode())


def hostile() -> RunResult:
    result = sample("failing_task")
    test = result.tests[0]
    step = test.workflow_steps[1]
    failure = step.failures[0].model_copy(update={"message": HOSTILE, "task": HOSTILE, "playbook": HOSTILE})
    step = step.model_copy(
        update={
            "description": HOSTILE,
            "error": HOSTILE,
            "failures": (failure,),
            "log": "javascript:alert(1)//" + HOSTILE,
            "registered": {HOSTILE: HOSTILE},
        }
    )
    test = test.model_copy(
        update={
            "name": HOSTILE,
            "error": HOSTILE,
            "workflow_steps": (step,),
            "evidence": (HOSTILE,),
            "folder": "",
        }
    )
    return result.model_copy(
        update={"tests": (test,), "suite": HOSTILE, "run_id": HOSTILE, "not_run": (HOSTILE,)}
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_junit_totals_match_the_cases_and_the_result(name: str) -> None:
    result = sample(name)
    root = junit(result)
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == [test.name for test in result.tests] + list(
        result.not_run
    )
    for element in (root, *suites):
        cases = list(element.iter("testcase"))
        assert element.get("tests") == str(len(cases))
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert element.get(attribute) == str(sum(case.find(tag) is not None for case in cases))
    red = [
        suite for suite in suites if suite.find("*/failure") is not None or suite.find("*/error") is not None
    ]
    assert len(red) == result.failed + result.unknown
    steps = [step for test in result.tests for step in test.workflow_steps]
    assert len(list(root.iter("testcase"))) == len(steps) + len(result.not_run)


@pytest.mark.parametrize(
    ("name", "tag", "kind"),
    [
        ("failing_check", "failure", "product"),
        ("failing_task", "failure", "product"),
        ("unknown_proof", "error", "infrastructure"),
        ("infrastructure", "error", "infrastructure"),
        ("killed", "error", "interrupt"),
    ],
)
def test_junit_tells_product_failures_from_all_other_errors(name: str, tag: str, kind: str) -> None:
    (found,) = [element for one in ("failure", "error") for element in junit(sample(name)).iter(one)]
    assert (found.tag, found.get("type")) == (tag, kind)


def test_junit_names_the_line_of_the_suite_and_attaches_the_log() -> None:
    case = junit(sample("failing_check")).findall("testsuite/testcase")[4]
    assert case.get("name") == "05 validate: The cluster survives the loss of its primary"
    assert case.get("classname") == "failsafety.primary_crash"
    assert (case.get("file"), case.get("line"), case.get("time")) == (
        "suites/failsafety.yaml",
        "35",
        "64.000",
    )
    out = case.findtext("system-out") or ""
    assert "allowed: admin_ui_accessible failed" in out
    assert "n11: power off; ssh timeout" in out
    assert out.endswith("[[ATTACHMENT|tests/primary_crash/steps/05-validate/ansible.log]]")
    attached = junit_xml(sample("failing_check"), folder="runs/x")
    assert "[[ATTACHMENT|runs/x/tests/primary_crash/evidence/n13]]" in attached


def test_junit_has_the_properties_of_the_run() -> None:
    properties = junit(sample("all_pass")).findall("testsuite/properties/property")
    pairs = {one.get("name"): one.get("value") for one in properties}
    assert pairs["run_id"] == "20250101-120000-7c1e"
    assert pairs["provider"] == "local"
    assert pairs["deployment_id"] == "local-failsafety_basic-20250101-120000"
    assert len(pairs["plan_hash"] or "") == 64


def clean_up_failed() -> TestResult:
    changes = {"success": False, "verdict": Verdict.FAIL, "cause": Cause.CLEAN_UP, "error": "n12 is left"}
    return sample("all_pass").tests[0].model_copy(update=changes)


def test_junit_is_red_even_when_no_step_shows_why() -> None:
    result = sample("all_pass").model_copy(update={"tests": (clean_up_failed(),), "verdict": Verdict.FAIL})
    (error,) = junit(result).iter("error")
    assert (error.get("type"), error.get("message")) == ("clean-up", "n12 is left")
    killed = sample("all_pass").model_copy(
        update={"tests": (), "finished": False, "verdict": Verdict.UNKNOWN}
    )
    (error,) = junit(killed).iter("error")
    assert error.get("message") == "the run did not finish"


def test_hostile_text_stays_text() -> None:
    root = junit(hostile())
    assert not list(root.iter("script"))
    page = html(hostile())
    assert "<script" not in page
    assert "{{ 7*7 }}" in page
    assert 'href="javascript' not in page
    assert not any(character in page for character in "\x00\x08\x1b\ufffe\udcff")


class Tags(HTMLParser):
    """Checks that tags are balanced, and gathers ids and links."""

    VOID = ("meta", "br", "hr", "img", "link", "input")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        pairs = dict(attrs)
        self.ids += [pairs["id"] or ""] if "id" in pairs else []
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert tags.open == []
    return tags


@pytest.mark.parametrize("name", [*SAMPLES, "hostile"])
def test_the_page_is_well_formed_and_needs_no_network(name: str) -> None:
    result = hostile() if name == "hostile" else sample(name)
    page = html(result)
    tags = parsed(page)
    assert tags.tags.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert "url(" not in page.replace("url(#", ""), "only to patterns of its own"
    assert "@import" not in page
    assert all(link.startswith(("./", "#")) for link in tags.links)
    assert len(tags.ids) == len(set(tags.ids))
    assert {link[1:] for link in tags.links if link.startswith("#")} <= set(tags.ids)
    assert html(result) == page


def test_the_page_opens_what_went_wrong_and_only_that() -> None:
    page = html(sample("failing_check"))
    assert page.count("<details open>") == 1
    assert "no node accepts writes: n12 is a standby" in page
    assert "product: the cluster under test" in page
    assert html(sample("all_pass")).count("<details open>") == 0


def test_the_page_of_a_run_without_tests_renders() -> None:
    empty = sample("killed").model_copy(update={"tests": (), "started": None, "cause": None})
    assert "No test has begun." in html(empty)


def test_no_report_needs_ansible() -> None:
    modules = "finding html jsonl junit live log plain problems summary"
    imports = "; ".join(f"import e2e_ansible.report.{module}" for module in modules.split())
    check = "import sys; assert not {'ansible', 'ansible_runner'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", f"{imports}; {check}"], check=True)
