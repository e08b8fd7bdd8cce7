"""What is read from recorded outputs of both lines of Stroppy, and from anything else in their place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stroppy_data import NAMES, recorded

from e2e_ansible.judge.load import longest_outage
from e2e_ansible.load.registry import is_built_in
from e2e_ansible.load.result import LoadResult
from e2e_ansible.load.stroppy import TOOL
from e2e_ansible.load.stroppy_program import RUN

MIX = {"new_order", "payment", "order_status", "delivery", "stock_level"}


def read(name: str) -> LoadResult:
    return TOOL.read(recorded(name))


def test_it_is_one_of_the_tools_that_any_judge_can_read() -> None:
    assert is_built_in("stroppy")


@pytest.mark.parametrize("name", NAMES)
def test_each_line_is_told_apart_and_its_status_has_a_meaning(name: str) -> None:
    found = read(name)
    assert found.dialect == ("k6" if "k6" in name else "go")
    assert found.meaning
    assert "no meaning of its own" not in found.meaning


@pytest.mark.parametrize(
    "name", ["go-tpcb", "go-noop", "go-simple", "go-tpcc", "k6-tpcb", "k6-noop", "k6-simple", "run-go-tpcb"]
)
def test_a_load_that_ended_well_is_complete(name: str) -> None:
    found = read(name)
    assert found.complete
    assert not found.refused
    assert found.transactions
    assert found.latency.p95
    assert found.latency.bucketed is (found.dialect == "go")


def test_a_run_that_only_loads_its_tables_has_no_transactions() -> None:
    output = recorded("run-go-tpcb")
    run = json.loads(output.files[RUN])
    assert TOOL.read(output).transactions
    run["asked"]["transactions"] = False
    found = TOOL.read(output.model_copy(update={"files": {**output.files, RUN: json.dumps(run)}}))
    assert found.complete
    assert not found.refused
    assert (found.transactions, found.per_second, found.failed, found.latency.p95) == (None,) * 4
    assert not found.intervals


def test_the_summary_of_the_go_line_is_read_to_the_last_number() -> None:
    found = read("go-tpcc")
    text = recorded("go-tpcc").stderr
    commits, rolled_back = _number(text, "tx_commits_total"), _number(text, "tpcc_rollback_done")
    tried = _number(text, "iterations_total")
    assert found.transactions == commits + rolled_back
    assert found.failed == tried - commits - rolled_back
    assert found.retried == _number(text, "tpcc_retry_attempts")
    assert {each.name for each in found.by_name} == MIX
    assert sum(each.percent or 0 for each in found.by_name) == pytest.approx(100)
    (compliance,) = (json.loads(line)["compliance"] for line in recorded("go-tpcc").stdout.splitlines())
    assert found.seconds == compliance["elapsed_seconds"]
    assert found.compliance["tpm_c"] == compliance["tpm_c"]


def _number(text: str, name: str) -> int:
    return int(float(next(line.split()[1] for line in text.splitlines() if line.split()[:1] == [name])))


def test_the_summary_file_of_the_k6_line_is_read() -> None:
    found, metrics = read("k6-tpcb"), json.loads(recorded("k6-tpcb").files["summary.json"])["metrics"]
    assert found.transactions == metrics["tx_commit_rate"]["passes"]
    assert found.failed == metrics["iterations"]["count"] - metrics["tx_commit_rate"]["passes"]
    assert found.latency.p95 == metrics["tx_total_duration"]["p(95)"]
    assert found.latency.maximum == metrics["tx_total_duration"]["max"]
    names = {each.name for each in read("k6-tpcc").by_name}
    assert names
    assert names <= MIX


def test_what_is_not_compliant_is_told_and_is_no_refusal() -> None:
    found = read("go-paced")
    assert found.compliance["mix_compliant"] is False
    assert not found.refused
    crossed = read("k6-crossed")
    assert crossed.exit_code == 99
    assert crossed.complete
    assert not crossed.refused
    assert crossed.compliance["thresholds"] is False
    assert crossed.compliance["tpcc_payment_duration p(90)<5000"] is False
    assert "threshold" in crossed.meaning
    assert read("k6-tpcc").compliance["thresholds"] is True


@pytest.mark.parametrize("dialect", ["go", "k6"])
def test_compliance_that_is_required_refuses_what_does_not_comply(dialect: str) -> None:
    output = recorded("go-paced" if dialect == "go" else "k6-crossed")
    (line,) = [each for each in output.stdout.splitlines() if each.startswith('{"compliance"')] or [""]
    times = {"started": output.started, "begun": output.started, "ended": output.ended}
    rounds = [{**times, "exit_code": output.exit_code, "compliance": line}]
    run = {"dialect": dialect, "asked": {"require_compliance": True}, "rounds": rounds}
    found = TOOL.read(output.model_copy(update={"files": {**output.files, RUN: json.dumps(run)}}))
    assert "compliance is required" in found.refused


@pytest.mark.parametrize("name", ["go-population", "k6-population"])
def test_a_check_of_the_population_that_failed_refuses_it(name: str) -> None:
    found = read(name)
    assert "population" in found.refused
    older = recorded(name).model_copy(update={"exit_code": 0})
    assert "population" in TOOL.read(older).refused


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("go-unreachable", 1, "context deadline exceeded"),
        ("go-wrong-flag", 1, "scale-factr"),
        ("go-wrong-value", 1, "scale-factor"),
        ("go-wrong-workload", 1, "tpcd/tx"),
        ("go-wrong-driver-option", 1, "ulr"),
        ("go-sigint", 130, "interrupted"),
        ("go-sigterm", 143, "SIGTERM"),
        ("k6-unreachable", 1, "can't initialize shared driver"),
        ("k6-wrong-value", 107, "NaN"),
        ("k6-wrong-workload", 104, "tpcd/tx"),
        ("k6-wrong-driver-option", 107, "ulr"),
        ("k6-wrong-flag", 104, "--executor"),
        ("k6-aborted", 108, "its script ended the test: test aborted: aborted due to sql error"),
        ("k6-marked", 110, "violates check constraint"),
        ("run-go-unusable", 64, "it was not run"),
    ],
)
def test_what_did_not_end_well_is_not_complete_and_says_why(name: str, code: int, words: str) -> None:
    found = read(name)
    assert found.exit_code == code
    assert not found.complete
    assert words in found.meaning


def test_a_request_that_the_program_would_not_take_is_refused_with_the_nearest_name() -> None:
    assert "did you mean 'retry-attempts'?" in read("run-go-unusable").refused


def test_the_go_line_ends_its_users_at_an_error_and_that_is_no_whole_load() -> None:
    found = read("go-crashed")
    assert found.exit_code == 0
    assert found.failed == 2
    assert "each of its virtual users ended" in found.refused
    assert "on_error is stop" in read("run-go-stopped").refused


def test_a_load_that_was_begun_again_after_a_crash_is_whole_and_its_outage_is_seen() -> None:
    found = read("run-go-crashed")
    run = json.loads(recorded("run-go-crashed").files[RUN])
    assert len(run["rounds"]) > 1
    assert found.complete
    assert not found.refused
    assert found.failed
    assert (longest_outage(found.intervals) or 0) > 1
    assert sum(each.count for each in found.intervals) == found.transactions


def test_a_load_whose_database_never_came_back_is_not_complete_and_its_outage_lasts_to_the_end() -> None:
    found = read("run-go-dead")
    assert found.exit_code == 1
    assert not found.complete
    last = found.intervals[-1]
    assert last.count == 0
    assert (longest_outage(found.intervals) or 0) > 2


def test_the_k6_line_goes_on_by_itself_and_its_outage_is_seen() -> None:
    found = read("run-k6-crashed")
    assert found.complete
    assert (longest_outage(found.intervals) or 0) > 0.5
    assert found.transactions is not None
    assert 0 < sum(each.count for each in found.intervals) <= found.transactions


def test_nothing_was_committed_where_no_transaction_began() -> None:
    output = recorded("k6-crashed")
    told = json.loads(output.files["summary.json"])
    del told["metrics"]["tx_commit_rate"]
    found = TOOL.read(output.model_copy(update={"files": {"summary.json": json.dumps(told)}}))
    assert found.transactions == 0
    assert found.failed
    assert found.refused == "not one transaction succeeded"


@pytest.mark.parametrize("name", NAMES)
def test_it_is_cut_at_any_byte_and_never_complete_without_its_summary(name: str) -> None:
    output = recorded(name)
    whole = TOOL.read(output)
    for field in ("stderr", "stdout"):
        text = getattr(output, field)
        for end in range(0, len(text), max(1, len(text) // 100)):
            found = TOOL.read(output.model_copy(update={field: text[:end]}))
            assert found.transactions in (None, whole.transactions) or found.complete is whole.complete


@pytest.mark.parametrize("name", ["go-tpcb", "go-tpcc"])
def test_a_summary_without_its_end_is_none(name: str) -> None:
    output = recorded(name)
    for end in range(output.stderr.index("=== bench summary"), len(output.stderr)):
        found = TOOL.read(output.model_copy(update={"stderr": output.stderr[:end]}))
        assert not found.complete or end > output.stderr.index("tx_queries_per_tx"), end
        assert found.transactions is None or found.complete


@pytest.mark.parametrize("name", ["run-go-tpcb", "run-k6-tpcb", "k6-tpcb"])
def test_files_are_cut_at_any_byte(name: str) -> None:
    output = recorded(name)
    for file, text in output.files.items():
        for end in range(0, len(text), max(1, len(text) // 100)):
            assert (
                TOOL.read(output.model_copy(update={"files": {**output.files, file: text[:end]}})).tool
                == "stroppy"
            )


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_garbage_never_raises(name: str, data: st.DataObject) -> None:
    output = recorded(name)
    changed = {field: _garbled(data, getattr(output, field)) for field in ("stdout", "stderr")}
    files = {file: _garbled(data, text) for file, text in output.files.items()}
    code = data.draw(st.one_of(st.none(), st.integers(-300, 300)))
    found = TOOL.read(output.model_copy(update={**changed, "files": files, "exit_code": code}))
    assert found.complete is False or code in (0, 99)


def _garbled(data: st.DataObject, text: str) -> str:
    at = data.draw(st.integers(0, len(text)))
    much = data.draw(st.integers(0, 40))
    return text[:at] + data.draw(st.text(max_size=20)) + text[at + much :]


def test_one_that_k6_ended_before_its_time_is_not_complete() -> None:
    """It ends with 0 then too; its own clock tells, which has the set-up in it as its duration does."""
    for name in ("k6-tpcb", "k6-sigint", "k6-sigterm", "run-k6-tpcb"):
        assert read(name).complete, "the signal came when its time was over"
    output = recorded("k6-tpcb")
    longer = tuple(word.replace("DURATION=2s", "DURATION=1m6s") for word in output.argv)
    found = TOOL.read(output.model_copy(update={"argv": longer}))
    assert not found.complete
    assert found.meaning == "it ended after 2.19 s of 66 s"
    assert found.exit_code == 0
    output = recorded("run-k6-tpcb")
    run = json.loads(output.files[RUN])
    run["asked"]["duration_seconds"] = 30
    found = TOOL.read(output.model_copy(update={"files": {**output.files, RUN: json.dumps(run)}}))
    assert (found.complete, found.meaning) == (False, "it ended after 3.14 s of 30 s")
