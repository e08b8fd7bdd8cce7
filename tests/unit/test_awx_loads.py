"""What a job says of a load decides its way in AWX: the same words and verdicts as those of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.awx.loads import hold_load
from e2e_ansible.errors import HarnessError
from e2e_ansible.load.base import LoadOutput
from e2e_ansible.load.running import RESULT_LIMIT, keep_texts, run_load

SUMMARY = """\
pgbench (15.8)
transaction type: <builtin: TPC-B (sort of)>
scaling factor: 1
query mode: simple
number of clients: 2
number of threads: 1
maximum number of tries: 1
duration: 2 s
number of transactions actually processed: 100
number of failed transactions: 0 (0.000%)
latency average = 40.000 ms
initial connection time = 5.000 ms
tps = 50.000000 (without initial connection time)
"""


def printed(**more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "tool": "pgbench",
        "argv": ("pgbench",),
        "exit_code": 0,
        "stdout": SUMMARY,
        "started": 1.0,
        "ended": 3.0,
        **more,
    }
    return LoadOutput(**fields).model_dump(mode="json")


def test_a_load_that_keeps_to_its_limits_holds() -> None:
    assert hold_load({"error_rate": 0.0, "per_second": 40}, printed()) == {
        "held": True,
        "said": ["pgbench kept to it"],
    }


@pytest.mark.parametrize(
    ("limits", "change", "words"),
    [
        ({"per_second": 60}, {}, "per_second: 50 transactions per second, the limit is 60"),
        ({"p99_ms": 5}, {}, "did not measure what is limited: p99_ms"),
        ({}, {"exit_code": 1, "stdout": ""}, "it did not come to its end"),
        ({}, {"tool": "elsewhere"}, "nothing tells what the load measured"),
    ],
)
def test_a_load_that_does_not_takes_the_way_of_failure(
    limits: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    found = hold_load(limits, printed(**change))
    assert found["held"] is False
    assert words in "; ".join(found["said"])


@pytest.mark.parametrize(("limits", "measured"), [({"p99": 5}, printed()), ({}, {"tool": "pgbench"})])
def test_what_no_load_tells_is_an_error(limits: dict[str, Any], measured: dict[str, Any]) -> None:
    with pytest.raises(HarnessError, match="what the load tool said cannot be read"):
        hold_load(limits, measured)


def test_what_a_job_printed_is_kept_and_no_name_leads_out_of_its_folder(tmp_path: Path) -> None:
    names = {"own.json": "{}", "../../out": "x", ".pgpass": "x", "a/b": "x"}
    name = keep_texts(tmp_path / "step", "../x", LoadOutput.model_validate(printed(files=names)))
    assert name == "load-..-x"
    assert sorted(path.name for path in (tmp_path / "step" / name).iterdir()) == [
        "own.json",
        "stderr.txt",
        "stdout.txt",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["step"]


def test_all_texts_together_fit_into_one_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWX drops a result that is longer; quotes, which JSON makes two characters of, count as well."""
    import base64

    monkeypatch.delenv("E2E_STEP_FOLDER", raising=False)
    data = base64.b64encode(b'"line"\n' * 60_000).decode()
    names = ("stdout", "stderr", "kept/a", "kept/b", "kept/c", "kept/d")
    files = "".join(f"@e2e-load file {name} 420000\n{data}\n" for name in names)
    said = f"@e2e-load exit 0 1.0 2.0 3.0 /tmp/x\n{files}@e2e-load end\n"

    def execute(command: str, in_data: bytes) -> dict[str, Any]:
        assert command
        assert in_data
        return {"stdout": said, "stderr": ""}

    args: dict[str, Any] = {
        **{key: {} for key in ("env", "files", "copies", "programs", "database")},
        **{"tool": "x", "argv": ["x"], "timeout_seconds": 1, "keep": ["a"], "after": [], "copies_from": "."},
        **{"workload": "", "measure": True, "artifacts": ""},
    }
    found = run_load(execute, args, {}, "n11")["e2e_load"]
    assert len(json.dumps(found)) <= RESULT_LIMIT
    assert all("characters are left out here" in text for text in (found["stdout"], *found["files"].values()))
    assert len(found["files"]) == 4
