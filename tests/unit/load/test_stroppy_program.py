"""The program that runs Stroppy on a node, with small programs in place of Stroppy."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_ansible.load.stroppy_otlp import Receiver, now, totals
from e2e_ansible.load.stroppy_program import REQUEST, RUN, UNUSABLE
from e2e_ansible.load.stroppy_series import Series
from e2e_ansible.steps.run_stroppy import MODULES as SENT
from e2e_ansible.steps.run_stroppy import STARTER

PACKAGE = Path(__file__).parents[3] / "e2e_ansible"
STROPPY = """#!/bin/sh
case "$*" in
"run --help") echo "Typed parameter flags: --executor" ;;
"version") echo "stroppy  v6.0.0" ;;
"help drivers") echo "    errorMode              string    log | fail" ;;
"probe -o json")
params='[{"name": "vus", "type": "int"}, {"name": "duration", "type": "duration"},
  {"name": "executor", "type": "string"}]'
echo '{"drivers": [], "workloads": [{"name": "tpch/tx", "params": '"$params"'},
  {"name": "tpcb/tx", "params": '"$params"'}]}' ;;
*--steps\\ e2e-none*) echo "Skipping step 'load_data'" >&2 ;;
*) BODY ;;
esac
"""
SUMMARY = """
cat >&2 <<'END'
End of 'load_data' step
PROBLEM
=== bench summary ===
  iterations_total                         2.000
END
exit CODE
"""


def run(folder: Path, body: str, *, case: str = "*) ", **request: Any) -> tuple[int, str, dict[str, Any]]:
    """Status, error output and notes, from a folder with nothing but what is sent to a node."""
    for name in SENT:
        (found,) = [path for place in (".", "load") if (path := PACKAGE / place / f"{name}.py").exists()]
        (folder / f"{name}.py").write_text(found.read_text())
    (folder / "start.py").write_text(STARTER)
    binary = folder / "stroppy"
    binary.write_text(STROPPY.replace("*) BODY", f"{case}{body}"))
    binary.chmod(0o755)
    asked = {
        "binary": str(binary),
        "workload": "tpch/tx",
        "url": "postgres://h",
        "on_error": "continue",
        **request,
    }
    (folder / REQUEST).write_text(json.dumps(asked))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "start.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr, json.loads((folder / RUN).read_text())


def summary(*, problem: str = "", code: int = 0) -> str:
    return SUMMARY.replace("PROBLEM", problem).replace("CODE", str(code))


def test_it_runs_alone_and_notes_what_came(tmp_path: Path) -> None:
    code, stderr, told = run(tmp_path, summary(code=7))
    assert code == 7
    assert "=== bench summary ===" in stderr
    (only,) = told["rounds"]
    assert (only["exit_code"], only["gave_up"]) == (7, 0)
    assert only["summary"] == ["iterations_total                         2.000"]
    assert only["begun"] > only["started"]
    assert told["version"] == "v6.0.0"


@pytest.mark.parametrize(
    ("request_", "words"),
    [({"params": {"vuss": 1}}, "did you mean 'vus'?"), ({"workload": "tpcx"}, "no workload 'tpcx'")],
)
def test_what_it_would_not_take_is_not_begun(tmp_path: Path, request_: Mapping[str, Any], words: str) -> None:
    code, stderr, told = run(tmp_path, "touch begun", **request_)
    assert code == UNUSABLE
    assert words in stderr
    assert told["rounds"] == []
    assert not (tmp_path / "begun").exists()


def test_another_program_is_refused(tmp_path: Path) -> None:
    code, stderr, told = run(tmp_path, "true", binary="/bin/true")
    assert (code, told["rounds"]) == (UNUSABLE, [])
    assert "no Stroppy of a known kind" in stderr
    code, stderr, _ = run(tmp_path, "true", binary="/nowhere/stroppy")
    assert code == UNUSABLE
    assert "/nowhere/stroppy cannot be run: No such file or directory" in stderr


def test_what_gave_up_is_begun_again_for_the_rest_with_its_load_alone(tmp_path: Path) -> None:
    body = f"if [ -e again ]; then {summary()} fi; touch again; {summary(problem='iteration failed')}"
    code, _, told = run(tmp_path, body, duration_seconds=60, no_steps=["load_data"])
    assert code == 0
    first, second = told["rounds"]
    assert (first["gave_up"], second["gave_up"]) == (1, 0)
    assert "--steps" not in first["argv"]
    assert second["argv"][second["argv"].index("--steps") + 1] == "workload"
    (left,) = [word for word in second["argv"] if word.startswith("--duration=")]
    assert 1 <= float(left.removeprefix("--duration=").removesuffix("s")) <= 60


def test_it_asks_until_the_database_answers_and_is_begun_again_once(tmp_path: Path) -> None:
    """It is away for three tries; each is counted."""
    away = '*"TRUNCATE TABLE"*) cd "${0%/*}"; echo >>tries; [ "$(wc -l <tries)" -gt 3 ]; exit $? ;;\n*) '
    body = f"if [ -e again ]; then {summary()} fi; touch again; {summary(problem='iteration failed')}"
    code, _, told = run(tmp_path, body, case=away, workload="tpcb/tx", duration_seconds=60)
    assert (code, len(told["rounds"]), told["tries"]) == (0, 2, 3)


def test_a_database_that_stays_away_is_asked_until_no_time_is_left(tmp_path: Path) -> None:
    away = '*"TRUNCATE TABLE"*) exit 1 ;;\n*) '
    code, _, told = run(
        tmp_path, summary(problem="iteration failed"), case=away, workload="tpcb/tx", duration_seconds=1.2
    )
    assert (code, len(told["rounds"])) == (1, 1), "it ended well, and what was left of its time was lost"
    assert told["tries"] >= 1


def test_it_is_not_begun_again_when_errors_are_to_stop_it(tmp_path: Path) -> None:
    _, _, told = run(tmp_path, summary(problem="iteration failed"), duration_seconds=60, on_error="stop")
    assert len(told["rounds"]) == 1


def test_a_configuration_of_the_user_keeps_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "stroppy-config.json").write_text('{"params": {"a": 1}, "global": {"seed": 5}}')
    run(tmp_path, summary())
    told = json.loads((tmp_path / "stroppy-config.json").read_text())
    assert (told["params"], told["global"]["seed"]) == ({"a": 1}, 5)
    assert told["global"]["exporter"]["otlpExport"]["otlpHttpEndpoint"].startswith("127.0.0.1:")


# ---- what is exported


def field(number: int, data: bytes) -> bytes:
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


def number(name: bytes, value: float, condition: bytes = b"") -> bytes:
    more = field(7, field(1, b"condition") + field(2, field(1, condition))) if condition else b""
    point = field(1, more + b"\x21" + struct.pack("<d", value))
    return field(1, field(2, field(2, field(1, name) + field(7, point))))


def test_counters_are_added_up_over_their_attributes() -> None:
    assert totals(number(b"a", 2) + number(b"a", 3.5)) == {"a": 5.5}
    found = totals(number(b"rate", 2, b"zero") + number(b"rate", 3, b"nonzero"))
    assert found == {"rate": 5.0, "rate[zero]": 2.0, "rate[nonzero]": 3.0}


def test_histograms_are_added_up_bucket_by_bucket() -> None:
    counts, bounds = struct.pack("<2Q", 3, 4), struct.pack("<d", 0.5)
    point = (
        b"\x21" + struct.pack("<Q", 7) + b"\x29" + struct.pack("<d", 9) + field(6, counts) + field(7, bounds)
    )
    message = field(1, field(2, field(2, field(1, b"h") + field(9, field(1, point)))))
    assert totals(message * 2) == {"h": {"count": 14, "sum": 18.0, "bounds": [0.5], "buckets": [6, 8]}}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(message: bytes) -> None:
    try:
        assert isinstance(totals(message), dict)
    except (ValueError, struct.error):
        return


def test_a_clock_that_is_set_meanwhile_moves_no_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    before = now()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    told: dict[str, Any] = {"series": []}
    series = Series(told)
    series.begin()
    series.begun(now())
    series.rest(now() + 10)
    assert [row["at"] for row in told["series"]] == [pytest.approx(before, abs=60)] * 2
    assert told["series"][1]["at"] >= told["series"][0]["at"]


def test_what_is_sent_is_taken_and_rubbish_is_refused() -> None:
    taken: list[Mapping[str, Any]] = []
    receiver = Receiver(lambda at, found: taken.append(found))
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    address = f"http://{receiver.endpoint}/v1/metrics"
    try:
        straight.open(urllib.request.Request(address, data=number(b"a", 1)), timeout=5).close()
        with pytest.raises(urllib.error.HTTPError, match="400"):
            straight.open(urllib.request.Request(address, data=b"\xff\xff"), timeout=5)
    finally:
        receiver.close()
    assert taken == [{"a": 1.0}]
