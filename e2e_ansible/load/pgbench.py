"""pgbench of PostgreSQL 13 to 18: how it is started, and what it measured. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from e2e_ansible.load.base import LoadOutput, LoadTool
from e2e_ansible.load.result import Interval, Latency, LoadResult, TransactionLoad

__all__ = ["INITIALISE", "LOG_PREFIX", "REDUCED", "RUN", "TOOL", "Pgbench"]

REDUCED = "reduced.json"
LOG_PREFIX = "pgbench-log"

_FIND = r"""
PATH=$PATH:$(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin 2>/dev/null | sort -rV | tr '\n' :)
pgbench --version || exit 127
"""
INITIALISE = _FIND + 'exec pgbench "$@"\n'
"""Shell program that makes and fills its tables. Words: what pgbench is told."""

#: A pgbench that has lost the connections of all its clients ends; it is started again for the time that is left.
RUN = (
    _FIND
    + r"""
# Of a clock that nobody sets.
now() { read -r seconds rest </proc/uptime; echo "${seconds%.*}"; }
time=$1 tries=$2 again=$3
shift 3
major=$(pgbench --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
if [ "$major" -ge 15 ]; then
  set -- --failures-detailed --max-tries="$tries" "$@"
elif [ "$tries" -gt 1 ]; then
  echo "max_tries needs pgbench 15 or newer, this one is $major" >&2
  exit 1
fi
[ "$time" -gt 0 ] || exec pgbench --log --log-prefix=@PREFIX@.1 "$@"
end=$(($(now) + time)) number=0 left=$time code=1 hosts=$PGHOST ports=$PGPORT
# Its clients try the hosts one after the other and a dead one costs each of them seconds: who takes writes comes first.
writer() {
  found=$(psql -XAtc '\echo :HOST :PORT' 2>/dev/null) || [ "$?" = 127 ] || return 1
  [ -z "$found" ] || export PGHOST="${found% *},$hosts" PGPORT="${found#* },$ports"
}
while [ "$left" -ge 1 ]; do
  if [ "$number" = 0 ] || writer; then
    number=$((number + 1))
    pgbench --log --log-prefix=@PREFIX@.$number --time="$left" "$@"
    code=$?
    [ "$again" = yes ] && [ "$code" -ne 0 ] || break
  fi
  sleep 0.5
  left=$((end - $(now)))
done
echo "e2e: started $number times" >&2
exit "$code"
""".replace("@PREFIX@", LOG_PREFIX)
)
"""Shell program. Words: seconds to run or 0, most tries, whether to start again, then what pgbench is told.

What pgbench can is asked of it, as 13 to 18 differ.
"""

_MEANINGS = {
    0: "it came to its end",
    1: "it could not begin, or an internal error ended it",
    2: "errors ended clients while it ran",
    124: "it was ended, as its time was over",
    126: "pgbench cannot be executed there",
    127: "pgbench is not installed there",
    137: "it was killed",
}
_VERSION = re.compile(r"pgbench \(PostgreSQL\) (\S+)")
_NUMBERS = {
    "transactions": re.compile(r"^number of transactions actually processed: (\d+)", re.M),
    "failed": re.compile(r"^number of failed transactions: (\d+)", re.M),
    "retried": re.compile(r"^number of transactions retried: (\d+)", re.M),
    "average": re.compile(r"^latency average = ([\d.]+) ms", re.M),
    "tps": re.compile(
        r"^tps = ([\d.]+) \((?:without initial connection time|excluding connections .*)\)", re.M
    ),
    "reconnecting": re.compile(r"^tps = ([\d.]+) \(including .*\)", re.M),
}
_ABORTED = re.compile(r"^.*client \d+ .*aborted.*$", re.M)
_STARTED = re.compile(r"^e2e: started (\d+) times$", re.M)
_REASON = re.compile(r"^pgbench: (?:error|fatal): (.*)$", re.M)
_PROGRESS = re.compile(
    r"^progress: ([\d.]+) s, ([\d.]+) tps, lat ([\d.]+) ms stddev (?:[\d.]+|-?nan)(?:, (\d+) failed)?", re.M
)
_SAID = re.compile(r"aborted.*?: (ERROR: .*)")
_SHOWN = 300
_SILENT_SECONDS = 0.5  # to end takes less


class Pgbench(LoadTool):
    """pgbench."""

    name = "pgbench"
    summary = "PostgreSQL's own load tool"

    def read(self, output: LoadOutput) -> LoadResult:
        """Counts and percentiles from its logs, or where they are missing from what it printed."""
        reduced = _reduced(output.files.get(REDUCED, ""))
        said = {name: _sum(pattern, output.stdout) for name, pattern in _NUMBERS.items()}
        aborted = len(_ABORTED.findall(output.stderr))
        runs = len(_NUMBERS["transactions"].findall(output.stdout))
        numbers = reduced.get("all") or ()
        count = int(numbers[0]) if numbers else _whole(said["transactions"])
        started, seconds, intervals = _times(output, reduced)
        if not reduced and runs == 1 and count and said["tps"]:
            seconds = round(count / said["tps"], 6)  # the last interval is often not printed
        failed = int(numbers[1]) if numbers else _whole(said["failed"])
        return LoadResult(
            tool=self.name,
            version=_first(_VERSION, output.stdout),
            workload=output.workload,
            host=output.host,
            started=started,
            seconds=seconds,
            transactions=count,
            per_second=_per_second(said, max(runs, _starts(output)), count, seconds),
            failed=None if failed is None and not aborted and not runs else (failed or 0) + aborted,
            retried=_whole(said["retried"]),
            latency=_latency(numbers[2:])
            if numbers
            else Latency(average=said["average"] if runs == 1 else None),
            by_name=_by_name(output.workload, reduced, seconds),
            intervals=intervals,
            exit_code=output.exit_code,
            meaning=_meaning(output, aborted),
            complete=runs > 0 and output.exit_code in (0, 2),
            refused=_refused(output, aborted),
        )


TOOL = Pgbench()


def _sum(pattern: re.Pattern[str], text: str) -> float | None:
    found = [float(number) for number in pattern.findall(text)]
    return sum(found) if found else None


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


def _reduced(text: str) -> Mapping[str, Any]:
    """What the program on the node has made of the logs; nothing if it did not come to that."""
    try:
        found = json.loads(text)
        whole = isinstance(found, dict) and found["start"] is not None and len(found["all"]) == 8
    except (ValueError, KeyError, TypeError):
        return {}
    return found if whole else {}


def _times(
    output: LoadOutput, reduced: Mapping[str, Any]
) -> tuple[float | None, float | None, tuple[Interval, ...]]:
    """When it began, how long it took, and its intervals; up to its end, also where nothing succeeded any more.

    Of several starts the first may have come to nothing: then nothing succeeded from there on.
    """
    if not reduced:
        told = tuple(_progress(output.stderr))
        return output.started, told[-1].start + told[-1].seconds if told else None, told
    first, last = float(reduced["start"]), float(reduced["end"])
    late = _starts(output) > 1 and first - output.started > _SILENT_SECONDS
    start = output.started if late else first
    offset = round(first - start, 6)
    intervals = [
        Interval(
            start=round(offset + row[0], 6),
            seconds=row[1],
            count=row[2],
            failed=row[3],
            latency=_latency(row[4:]),
        )
        for row in reduced["intervals"]
    ]
    if late:
        intervals.insert(0, Interval(start=0.0, seconds=offset, count=0, failed=0))
    end = output.ended if output.ended - last > _SILENT_SECONDS else last
    if end > last:
        silent = Interval(start=round(last - start, 6), seconds=round(end - last, 6), count=0, failed=0)
        intervals.append(silent)
    return start, round(end - start, 6), tuple(intervals)


def _starts(output: LoadOutput) -> int:
    return int(_first(_STARTED, output.stderr) or 1)


def _progress(text: str) -> list[Interval]:
    intervals: list[Interval] = []
    offset = last = 0.0
    for end, tps, average, failed in _PROGRESS.findall(text):
        if float(end) <= last:  # it was started again
            offset, last = offset + last, 0.0
        seconds = float(end) - last
        intervals.append(
            Interval(
                start=offset + last,
                seconds=seconds,
                count=round(float(tps) * seconds),
                failed=int(failed) if failed else None,
                latency=Latency(average=float(average)),
            )
        )
        last = float(end)
    return intervals


def _latency(numbers: Sequence[float | None]) -> Latency:
    average, p50, p90, p95, p99, maximum = numbers
    return Latency(average=average, p50=p50, p90=p90, p95=p95, p99=p99, maximum=maximum)


def _per_second(
    said: Mapping[str, float | None], runs: int, count: int | None, seconds: float | None
) -> float | None:
    """As pgbench says; of several runs, with the time between them."""
    if runs == 1 and (tps := said["tps"] if said["tps"] is not None else said["reconnecting"]) is not None:
        return tps
    return count / seconds if count is not None and seconds else None


def _by_name(workload: str, reduced: Mapping[str, Any], seconds: float | None) -> tuple[TransactionLoad, ...]:
    """One for each script, in the order in which they were given."""
    names = workload.split(", ")
    total = sum(row[0] for row in reduced.get("scripts", {}).values())
    return tuple(
        TransactionLoad(
            name=names[int(number)] if int(number) < len(names) else f"script {number}",
            count=row[0],
            per_second=row[0] / seconds if seconds else None,
            percent=100 * row[0] / total if total else None,
            failed=row[1],
            latency=_latency(row[2:]),
        )
        for number, row in reduced.get("scripts", {}).items()
    )


def _meaning(output: LoadOutput, aborted: int) -> str:
    code = output.exit_code
    text = _MEANINGS.get(code, f"status {code}") if code is not None else "it was not seen to end"
    words = [text]
    starts = _starts(output)
    words += [f"it was started {starts} times, as its connections had ended"] if starts > 1 else []
    words += [f"{aborted} clients were aborted"] if aborted else []
    reasons = list(dict.fromkeys(_REASON.findall(output.stderr)))
    words += [reasons[-1][:_SHOWN]] if reasons and code else []
    return "; ".join(words)


def _refused(output: LoadOutput, aborted: int) -> str:
    """Clients that are gone load no more, so less was tried than was asked for."""
    if output.exit_code == 0:
        return ""
    if output.exit_code == 2:
        clients = f"{aborted} of its clients" if aborted else "clients"
        if error := _SAID.search(output.stderr):
            return f"{clients} were ended by an error before the end: {error[1][:_SHOWN]}; what was measured is told"
        return f"{clients} lost the database before the end; what was measured until then is told"
    return ""
