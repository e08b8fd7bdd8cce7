"""What Prometheus gets: parsed by its own client, from a file that is always whole and from a gateway."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families
from receivers import SECONDS, Receiver, free_port, receiver
from soak_script import (
    alert,
    cycle,
    cycle_start,
    ended,
    injection,
    outages,
    phase,
    started,
)

from e2e_ansible.deadline import Deadline
from e2e_ansible.notify.deliveries import FILE
from e2e_ansible.notify.exposition import push, write
from e2e_ansible.notify.figures import Figures
from e2e_ansible.notify.news import Broken, Thing
from e2e_ansible.notify.notifier import Notifier
from e2e_ansible.notify.undelivered import Undelivered
from e2e_ansible.report.notice import TestEnded, TestStarted
from e2e_ansible.verdict import Cause, Verdict
from tests.unit.report.report_script import SAMPLES, notices, sample

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def parsed(text: str) -> Callable[..., float | None]:
    """A function that gives the value of a series, None when it is not there."""
    found: Samples = {
        (each.name, frozenset(each.labels.items())): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }

    def value(name: str, suite: str = "soak.yaml", **labels: str) -> float | None:
        return found.get((f"e2e_ansible_{name}", frozenset({"suite": suite, **labels}.items())))

    return value


def figures(folder: Path, *things: Thing) -> Callable[..., float | None]:
    made = Figures()
    for thing in (started(), *things):
        made.take(thing)
    write(folder / "x.prom", made)
    return parsed((folder / "x.prom").read_text())


@pytest.mark.parametrize("name", SAMPLES)
def test_the_figures_of_a_run_are_those_of_its_result(tmp_path: Path, name: str) -> None:
    result = sample(name)
    value = figures(tmp_path, *notices(result))
    suite = result.suite
    assert value("run_exit_code", suite) == result.exit_code
    assert value("run_duration_seconds", suite) == result.duration
    assert value("run_running", suite) == 0
    assert value("tests", suite, verdict="pass") == result.passed
    for verdict in Verdict:
        assert value("run_verdict", suite, verdict=verdict) == (result.verdict is verdict)
    for test in result.tests:
        assert value("test_duration_seconds", suite, test=test.name) == test.duration
        for verdict in Verdict:
            found = value("test_verdict", suite, test=test.name, verdict=verdict)
            assert found == (test.verdict is verdict)
    steps = [step for test in result.tests for step in test.workflow_steps if step.started is not None]
    for type_ in {step.step_type for step in steps}:
        of_type = [step for step in steps if step.step_type == type_]
        counted = [
            value("steps_total", suite, step_type=type_, verdict=word) or 0 for word in (*Verdict, "none")
        ]
        assert sum(counted) == len(of_type)
        seconds = value("steps_seconds_total", suite, step_type=type_)
        assert seconds == pytest.approx(sum(step.duration for step in of_type))


def test_cycles_are_counted_and_the_last_one_is_told(tmp_path: Path) -> None:
    value = figures(
        tmp_path,
        cycle_start(1),
        phase("activation", 4.0),
        cycle(1, clients={"c": outages(1.5, 3.25, lost=1), "d": outages()}),
        cycle_start(2),
        phase("activation", 5.0),
        cycle(2, Verdict.FAIL, duration_seconds=30.0, clients={"c": outages(0.5)}),
        cycle(3, Verdict.UNKNOWN),
    )
    assert [value("cycles_total", verdict=word) for word in Verdict] == [1, 1, 1]
    assert value("cycles_failed_total") == 2
    assert value("cycle_number") == 2
    assert value("cycle_last_duration_seconds") == 21.5
    assert value("phase_last_duration_seconds", phase="activation") == 5
    assert value("client_last_write_outage_seconds", client="c") == 0.5
    assert value("client_last_write_outage_seconds", client="d") == 0
    assert value("client_lost_rows_total", client="c") == 1
    assert value("cycles_total", verdict="none") is None


def test_an_alert_is_active_from_its_begin_to_its_end(tmp_path: Path) -> None:
    labels = {"alert_type": "replication_lag", "context": "site_b"}
    value = figures(tmp_path, alert("a"), alert("a"), alert("b"))
    assert value("alerts_active", **labels) == 2
    value = figures(tmp_path, alert("a"), alert("b"), alert("a", over=True), alert("old", over=True))
    assert (value("alerts_active", **labels), value("alerts_total", **labels)) == (1, 2)


def test_an_injection_counts_once_however_often_it_is_told(tmp_path: Path) -> None:
    value = figures(tmp_path, injection(), injection(undone=True), injection(False, True, number=2))
    counted = {
        word: value("failure_injections_total", scenario="pause_backup", result=word)
        for word in ("took", "refused")
    }
    assert counted == {"took": 1, "refused": 1}


def test_a_run_that_broke_runs_no_more_and_is_no_pass(tmp_path: Path) -> None:
    value = figures(tmp_path, Broken(1.0, "x"))
    assert (value("run_running"), value("run_verdict", verdict="unknown")) == (0, 1)
    assert value("run_verdict", verdict="pass") == 0


def test_ten_thousand_cycles_make_no_more_series_than_ten() -> None:
    (test,) = sample("all_pass").tests[:1]

    def series(cycles: int) -> int:
        made = Figures()
        made.take(started())
        for number in range(1, cycles + 1):
            of_cycle = test.model_copy(update={"name": f"cycle {number}", "folder": f"cycles/{number:04}"})
            for thing in (cycle_start(number), TestEnded(at=1.0, result=of_cycle), cycle(number)):
                made.take(thing)
        return sum(len(family.samples) for family in made.registry.collect())

    assert series(100) == series(10)


def test_what_changes_nothing_is_not_written() -> None:
    assert not Figures().take(TestStarted(at=1.0, test="x", deployment_id="x-1", steps=()))


# ---- the file


def test_who_reads_the_file_finds_it_whole_at_any_time(tmp_path: Path) -> None:
    """A reader in a loop sees every version complete: the first and the last metric of each."""
    path, made = tmp_path / "x.prom", Figures()
    made.take(started())
    write(path, made)
    over, torn = threading.Event(), []

    def read() -> None:
        while not over.is_set():
            text = path.read_text()
            if not text.endswith("\n") or parsed(text)("run_running") is None:
                torn.append(text)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        made.take(cycle(number))
        write(path, made)
    over.set()
    reader.join()
    assert torn == []
    assert parsed(path.read_text())("cycles_total", verdict="pass") == 60
    assert [each.name for each in tmp_path.iterdir()] == ["x.prom"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    notifier = Notifier(prometheus_file=folder / "x.prom")
    folder.rmdir()
    with notifier:
        notifier(started(tmp_path))
        notifier(ended())
    (line, *_) = [json.loads(line) for line in (tmp_path / FILE).read_text().splitlines()]
    assert (line["target"], line["delivered"]) == (f"prometheus file {folder}/x.prom", False)
    assert line["error"] == "No such file or directory"


def test_the_file_is_there_while_the_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "x.prom"
    with Notifier(prometheus_file=path) as notifier:
        notifier(started(tmp_path))
        assert Deadline(SECONDS).wait_for(path.exists, 0.01)
        assert parsed(path.read_text())("run_running") == 1
        notifier(ended(Verdict.FAIL, Cause.PRODUCT))
    assert parsed(path.read_text())("run_exit_code") == 1
    assert not (tmp_path / FILE).exists()


# ---- the gateway


def test_a_gateway_gets_all_metrics_under_job_and_suite(server: Receiver, tmp_path: Path) -> None:
    with Notifier(pushgateway=server.url) as notifier:
        notifier(started(tmp_path, suite="suites/soak.yaml"))
        notifier.record(cycle())
        notifier(ended())
    call = server.calls[-1]
    encoded = base64.urlsafe_b64encode(b"suites/soak.yaml").decode()
    assert (call.method, call.path) == ("PUT", f"/metrics/job/e2e_ansible/suite@base64/{encoded}")
    value = parsed(call.body.decode())
    assert value("cycles_total", "suites/soak.yaml", verdict="pass") == 1
    assert value("run_exit_code", "suites/soak.yaml") == 0


def test_a_password_in_the_address_becomes_a_header(server: Receiver) -> None:
    made = Figures()
    made.take(started())
    push(server.url.replace("//", "//u:open%20sesame@"), made, 5)
    (call,) = server.calls
    assert call.headers["Authorization"] == f"Basic {base64.b64encode(b'u:open sesame').decode()}"
    assert call.headers["Host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(("status", "words"), [(400, "400"), (500, "500")])
def test_a_gateway_that_refuses_is_told(server: Receiver, status: int, words: str) -> None:
    server.statuses = [status]
    with pytest.raises(Undelivered, match=words):
        push(server.url, Figures(), 5)


def test_a_gateway_that_is_gone_or_hangs_is_told(server: Receiver) -> None:
    with pytest.raises(Undelivered, match="Connection refused") as caught:
        push(f"http://127.0.0.1:{free_port()}", Figures(), 5)
    assert caught.value.again
    server.hold.clear()
    with pytest.raises(Undelivered, match="no answer within 0 s"):
        push(server.url, Figures(), 0.1)


def test_a_gateway_that_hangs_gets_the_newest_when_it_wakes(server: Receiver, tmp_path: Path) -> None:
    server.hold.clear()
    with Notifier(pushgateway=server.url) as notifier:
        notifier(started(tmp_path))
        server.wait()
        for number in range(50):
            notifier.record(cycle(number))
        server.hold.set()
    assert len(server.calls) == 2
    assert parsed(server.calls[-1].body.decode())("cycles_total", verdict="pass") == 50


def test_every_metric_and_its_labels_are_documented() -> None:
    text = (Path(__file__).parents[3] / "docs/notifications.md").read_text()
    rows = dict(re.findall(r"^\| `(e2e_ansible_\w+)` \| (.*?) \|", text, re.MULTILINE))
    metrics = Figures().registry._collector_to_names
    found = {
        metric._name + ("_total" if metric._type == "counter" else ""): metric._labelnames
        for metric in metrics
        if isinstance(metric, MetricWrapperBase)
    }
    assert {name: ("suite", *re.findall(r"`(\w+)`", row)) for name, row in rows.items()} == found
