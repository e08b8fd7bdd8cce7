"""A whole run tells others of itself what its result says, and nobody of the secrets that it needs for that."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from real_runs import Desk, one_test, write_suite

from e2e_ansible.deadline import Deadline
from tests.unit.notify.receivers import (
    SECONDS,
    Receiver,
    attributes,
    free_port,
    mail_server,
    receiver,
)

pytestmark = pytest.mark.nodes

CANARY = "kanarienvogel77"
PLAIN = "amselhahn88"
Step = dict[str, Any]


def command(*words: str, **more: Any) -> Step:
    return {"step": "custom_command", "custom_command": list(words), **more}


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def suite(desk: Desk, *steps: Step) -> str:
    return str(
        write_suite(desk.folder / "suite.json", nightly=one_test(steps), second=one_test([command("true")]))
    )


def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "notifications.jsonl").read_text().splitlines()]


def test_webhook_mail_metrics_and_spans_say_what_the_result_says(desk: Desk, server: Receiver) -> None:
    file = suite(desk, command("true", phase="before"), command("false", phase="after"), command("true"))
    with receiver() as gateway, receiver() as collector, mail_server() as box:
        desk.variables |= {
            "E2E_NOTIFY": f"webhook:{server.url}/x mailto:a@b.example?server=127.0.0.1:{box.port}",
            "E2E_PUSHGATEWAY": gateway.url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        }
        done = desk.call("run", file, "--prometheus-file", "metrics.prom", "--otel")
        assert (done.code, "WARNING" in done.said) == (1, False), done.said
        result = json.loads((desk.newest() / "result.json").read_text())
        _is_told(server.calls, result)
        assert len(box.mails) == 1
        _is_measured((desk.folder / "metrics.prom").read_text(), result)
        _is_measured(gateway.calls[-1].body.decode(), result)
        _is_traced(collector, result)
    told = records(desk.newest())
    assert [line["delivered"] for line in told] == [True, True]


def _is_told(calls: list[Any], result: dict[str, Any]) -> None:
    (call,) = calls
    told = call.json["result"]
    for test in result["tests"]:
        for step in test["workflow_steps"]:
            del step["observation"], step["registered"], step["slowest"]
    assert told == result
    assert (call.json["run_id"], call.json["verdict"]) == (result["run_id"], result["verdict"])


def _is_measured(text: str, result: dict[str, Any]) -> None:
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    seconds = {
        each.labels["test"]: each.value
        for each in samples
        if each.name == "e2e_ansible_test_duration_seconds"
    }
    assert seconds == {test["name"]: test["duration"] for test in result["tests"]}
    verdicts = {
        (each.labels["test"], each.labels["verdict"])
        for each in samples
        if each.name == "e2e_ansible_test_verdict" and each.value
    }
    assert verdicts == {(test["name"], test["verdict"]) for test in result["tests"]}
    (code,) = [each.value for each in samples if each.name == "e2e_ansible_run_exit_code"]
    assert code == 1


def _is_traced(collector: Receiver, result: dict[str, Any]) -> None:
    spans = {span.span_id: span for span in collector.spans()}
    (root,) = [span for span in spans.values() if span.name == "run"]
    assert attributes(root)["e2e.verdict"] == result["verdict"]
    steps = [(test, step) for test in result["tests"] for step in test["workflow_steps"] if step["started"]]
    found = {
        (_names(spans, span)[1], attributes(span)["e2e.step.id"]): span
        for span in spans.values()
        if span.name.startswith("step ")
    }
    assert len(found) == len(steps) == 3
    for test, step in steps:
        span = found[f"test {test['name']}", step["id"]]
        phase = [f"phase {step['phase']}"] if step["phase"] else []
        assert _names(spans, span) == ["run", f"test {test['name']}", *phase, "step custom_command"]
        assert attributes(span)["e2e.verdict"] == step["verdict"]
        assert attributes(span).get("e2e.cause") == step["cause"]
        assert span.start_time_unix_nano / 1e9 == pytest.approx(step["started"], abs=1e-5)
        assert span.end_time_unix_nano / 1e9 == pytest.approx(step["ended"], abs=1e-5)
    attempts = [span for span in spans.values() if span.name == "attempt"]
    assert len(attempts) == sum(step["attempts"] for _, step in steps)


def _names(spans: dict[bytes, Any], span: Any) -> list[str]:
    above = spans.get(span.parent_span_id)
    return [*(_names(spans, above) if above else []), span.name]


def test_a_run_is_the_same_when_nobody_takes_its_notifications(desk: Desk) -> None:
    """Its exit code is that of the verdict, and what did not arrive is a warning and a line on the disk."""
    gone = f"http://127.0.0.1:{free_port()}"
    desk.variables |= {"OTEL_EXPORTER_OTLP_ENDPOINT": gone, "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    arguments = ["--notify", f"webhook:{gone}", "--pushgateway", gone, "--otel", "--notify-on", "always"]
    done = desk.call("run", suite(desk, command("true")), *arguments)
    assert done.code == 0, done.said
    host = gone.removeprefix("http://")
    for target in ("webhook", "pushgateway", "otlp"):
        assert f"WARNING: {target} {host}" in done.out
    failed = {line["target"].split()[0] for line in records(desk.newest()) if not line["delivered"]}
    assert failed == {"webhook", "pushgateway", "otlp"}


def test_a_server_that_hangs_costs_the_end_of_a_run_no_more_than_it_may(desk: Desk, server: Receiver) -> None:
    """The result is on the disk while the server still holds its message."""
    server.hold.clear()
    file = suite(desk, command("true"))
    with desk.start("run", file, "--notify", f"slack:{server.url}", "--notify-on", "always") as process:
        server.wait()
        assert (desk.newest() / "result.json").exists()
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "WARNING: slack" in out
    (line,) = records(desk.newest())
    assert (line["delivered"], line["error"]) == (False, "no answer within 10 s")


def test_no_secret_of_a_target_is_anywhere(desk: Desk, server: Receiver) -> None:
    """Not in the run, on a screen, or inherited by a command; a variable that is nobody's secret is found there."""
    server.statuses, server.answer = [410], f"{CANARY} is gone".encode()
    (desk.folder / "targets").write_text(f"slack:{server.url}/file/{CANARY}\n")
    desk.variables |= {
        "E2E_NOTIFY": f"webhook:{server.url}/hook/{CANARY} env:HOOK @targets",
        "HOOK": f"webhook:{server.url.replace('//', f'//user:{CANARY}@')}/other",
        "E2E_PUSHGATEWAY": f"{server.url}/{CANARY}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-token={CANARY}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": server.url,
        "NO_SECRET": PLAIN,
    }
    done = desk.call("run", suite(desk, command("env"), command("false")), "--otel")
    assert done.code == 1, done.said
    assert len(server.calls) >= 5
    run = desk.newest()
    texts = {str(path): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    texts |= {"stdout": done.out.encode(), "stderr": done.err.encode()}
    assert [name for name, text in texts.items() if PLAIN.encode() in text] != []
    assert [name for name, text in texts.items() if CANARY.encode() in text] == []
    assert "answered 410 Gone: *** is gone" in done.out
    assert {line["delivered"] for line in records(run)} == {False}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--notify", f"webhok:https://h/{CANARY}"], "'webhok' is no kind of target"),
        (["--notify", "@missing"], "missing cannot be read"),
        (["--pushgateway", "env:MISSING"], "the variable 'MISSING' is not set"),
        (["--prometheus-file", "metrics.txt"], "end in .prom"),
        (["--notify-on", "sometimes"], "sometimes"),
    ],
)
def test_what_is_asked_wrongly_starts_nothing(desk: Desk, arguments: list[str], words: str) -> None:
    done = desk.call("run", suite(desk, command("true")), *arguments)
    assert (done.code, done.out) == (2, ""), done.said
    assert words in done.said
    assert CANARY not in done.said
    assert not desk.runs.exists()


def test_resume_tells_as_well(desk: Desk, server: Receiver) -> None:
    """A run that was killed without a word tells its result when it has gone on; its tests are one trace."""
    wait = "test -e go || { touch here; exec sleep 1000; }"
    file = suite(desk, command("sh", "-c", wait))
    with receiver() as collector:
        desk.variables |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "E2E_NOTIFY_ON": "always"}
        with desk.start("run", file, "--otel") as process:
            assert Deadline(SECONDS).wait_for((desk.folder / "here").exists)
            os.kill(process.pid, 9)
        (desk.folder / "go").touch()
        done = desk.call("resume", "--notify", f"webhook:{server.url}", "--otel")
        (call,) = server.calls
        spans = collector.spans()
    result = json.loads((desk.newest() / "result.json").read_text())
    assert (call.json["verdict"], done.code) == (result["verdict"], result_code(result))
    (attempt, *_) = [span for span in spans if attributes(span).get("e2e.attempt.ended") == "killed"]
    assert attempt.name == "attempt"
    assert len({span.trace_id for span in spans}) == 1


def result_code(result: dict[str, Any]) -> int:
    return {"pass": 0, "fail": 1, "unknown": 3}[result["verdict"]]


def test_cycles_are_told_counted_and_traced(desk: Desk, server: Receiver) -> None:
    """The second cycle fails; what each tells is what is written down of it."""
    third = ["sh", "-c", "test $(wc -l < cycles) -lt 2 || exit 1; echo >> cycles"]
    (desk.folder / "cycles").write_text("\n")
    steps = [command("true", phase="before"), command(*third, phase="activation")]
    file = str(write_suite(desk.folder / "suite.json", soak=one_test(steps)))
    with receiver() as collector:
        desk.variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
        arguments = ["--notify", f"webhook:{server.url}", "--notify-on", "always", "--otel"]
        arguments += ["--prometheus-file", "metrics.prom", "--cycles", "2", "--cooldown", "0"]
        done = desk.call("run", file, *arguments)
        spans = collector.spans()
    assert done.code == 1, done.said
    lines = (desk.newest() / "metrics" / "metrics.jsonl").read_text().splitlines()
    ends = [record for record in map(json.loads, lines) if record["metric_type"] == "cycle_end"]
    assert [record["verdict"] for record in ends] == ["pass", "fail"]
    told = [call.json for call in server.calls]
    assert [each["kind"] for each in told] == ["cycle_ended", "cycle_ended", "run_ended"]
    assert [each["record"] for each in told[:2]] == ends
    families = text_string_to_metric_families((desk.folder / "metrics.prom").read_text())
    samples = [each for family in families for each in family.samples]
    counted = {
        each.labels["verdict"]: each.value for each in samples if each.name == "e2e_ansible_cycles_total"
    }
    assert counted == {"pass": 1, "fail": 1}
    by_id = {span.span_id: span for span in spans}
    attempts = [_names(by_id, span) for span in spans if span.name == "attempt"]
    assert attempts == [
        ["run", "cycle", f"phase {phase}", "step custom_command", "attempt"]
        for phase in ("before", "activation", "before", "activation")
    ]
    cycles = [attributes(span) for span in spans if span.name == "cycle"]
    assert [(each["e2e.cycle"], each["e2e.verdict"]) for each in cycles] == [(1, "pass"), (2, "fail")]
