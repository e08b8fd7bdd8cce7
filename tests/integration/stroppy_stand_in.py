#!/usr/bin/env python3
"""A test double of Stroppy's plain Go line: its words, its formats, its way to end; the transactions are real.

It runs where Python and libpq are. As the real one it ends a virtual user at its first error, counts the keys of
its history tables from the same number each time, and exports OTLP when its configuration says where to. Imported, it
packs itself as an archive like a release.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import random
import signal
import struct
import sys
import tarfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

HELP = """Run a Go-native benchmark workload.

Typed parameter flags:
  --name VALUE            Set a run or selected-workload parameter.

  stroppy run simple --executor constant-vus --duration 10s --vus 4
"""
DRIVERS = """DRIVER OPTIONS (-D / --driver-opt)

  Available option keys:

    url                    string    Database connection URL
    driverType             string    postgres | noop
    errorMode              string    silent | log | throw | fail | abort
    bulkSize               int       Rows per bulk INSERT (default: 2500)
    pool.maxConns          int       Maximum pool connections
"""
RUN = [("duration", "duration"), ("executor", "string"), ("iterations", "int64"), ("vus", "int")]
OWN = [("retry-attempts", "int"), ("scale-factor", "int")]
SETUP = ("drop_schema", "create_schema", "load_data")
TABLES = {"tpcb": "pgbench_history", "tpcc": "history"}
MIX = (("new_order", 45), ("payment", 43), ("order_status", 4), ("delivery", 4), ("stock_level", 4))
BOUNDS = (
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10000.0,
)
ACCOUNTS = 1000
KEYS = 10_000_000


def packed(path: Path) -> Path:
    """This file as `stroppy` in a tar.gz, as a release has it."""
    data = Path(__file__).read_bytes()
    member = tarfile.TarInfo("./stroppy")
    member.size, member.mode = len(data), 0o755
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(member, io.BytesIO(data))
    return path


def probe() -> dict[str, Any]:
    """What `probe -o json` prints."""

    def params(names: list[tuple[str, str]]) -> list[dict[str, str]]:
        return [{"name": name, "type": kind, "env": name.upper().replace("-", "_")} for name, kind in names]

    workloads = [{"name": name, "params": params(RUN + OWN)} for name in ("tpcb/tx", "tpcc/tx")]
    return {
        "presets": [],
        "drivers": [
            {"type": "postgres", "insert_methods": ["native"]},
            {"type": "noop", "insert_methods": []},
        ],
        "workloads": workloads,
    }


def log(level: str, what: str, **more: Any) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    print(f"{stamp}\t{level}\t{what}\t{json.dumps(more)}", file=sys.stderr, flush=True)


class Metrics:
    """Counters and histograms, all under one lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counters: dict[str, float] = {}
        self.trends: dict[str, list[float]] = {}

    def count(self, name: str, more: float = 1) -> None:
        with self.lock:
            self.counters[name] = self.counters.get(name, 0) + more

    def time(self, name: str, milliseconds: float) -> None:
        with self.lock:
            self.trends.setdefault(name, []).append(milliseconds)

    def summary(self) -> None:
        print("\n=== bench summary ===", file=sys.stderr)
        for name, value in self.counters.items():
            print(f"  {name:<40} {value:.3f}", file=sys.stderr)
        for name, values in self.trends.items():
            said = " ".join(f"p({share})~={bound(values, share):.3f}" for share in (50, 90, 95, 99))
            average = sum(values) / len(values)
            print(f"  {name:<40} count={len(values)} avg={average:.3f} {said}", file=sys.stderr)

    def otlp(self) -> bytes:
        with self.lock:
            made = [
                field(1, name_of(name)) + field(7, field(1, b"\x21" + struct.pack("<d", value)))
                for name, value in self.counters.items()
            ]
            made += [
                field(1, name_of(name)) + field(9, field(1, histogram(values)))
                for name, values in self.trends.items()
            ]
        scope = b"".join(field(2, each) for each in made)
        return field(1, field(2, scope))


def name_of(name: str) -> bytes:
    return f"stroppy_{name}".encode()


def bound(values: list[float], share: int) -> float:
    value = sorted(values)[int((len(values) - 1) * share / 100)]
    return next((each for each in BOUNDS if value <= each), BOUNDS[-1])


def field(number: int, data: bytes) -> bytes:
    size, length = len(data), b""
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


def histogram(values: list[float]) -> bytes:
    buckets = [0] * (len(BOUNDS) + 1)
    for value in values:
        buckets[next((index for index, each in enumerate(BOUNDS) if value <= each), len(BOUNDS))] += 1
    head = b"\x21" + struct.pack("<Q", len(values)) + b"\x29" + struct.pack("<d", sum(values))
    counts = struct.pack(f"<{len(buckets)}Q", *buckets)
    return head + field(6, counts) + field(7, struct.pack(f"<{len(BOUNDS)}d", *BOUNDS))


class DatabaseError(Exception):
    """What the database, or the way to it, has said."""


class Connection:
    """One connection, by libpq: it knows several hosts in a url, and password files."""

    def __init__(self, url: str) -> None:
        self._lib = ctypes.CDLL("libpq.so.5")
        for name in ("PQconnectdb", "PQexec"):
            getattr(self._lib, name).restype = ctypes.c_void_p
        self._lib.PQerrorMessage.restype = ctypes.c_char_p
        self._handle = ctypes.c_void_p(self._lib.PQconnectdb(url.encode()))
        if self._lib.PQstatus(self._handle) != 0:
            text = self._said()
            self.close()
            raise DatabaseError(text)

    def _said(self) -> str:
        return str(self._lib.PQerrorMessage(self._handle).decode(errors="replace")).strip()

    def execute(self, *statements: str) -> None:
        """All in one transaction."""
        result = ctypes.c_void_p(self._lib.PQexec(self._handle, "; ".join(statements).encode()))
        status = self._lib.PQresultStatus(result)
        self._lib.PQclear(result)
        if status not in (1, 2):
            raise DatabaseError(self._said())

    def close(self) -> None:
        self._lib.PQfinish(self._handle)


class Wrong(Exception):
    """Printed as the real one prints it."""


class Bench:
    """One run."""

    def __init__(self, words: list[str]) -> None:
        self.workload, self.driver, self.options, self.given, self.steps = words[0], "", {}, {}, ""
        self.skipped, self.config = "", ""
        self._read(words[1:])
        self.metrics, self.stop, self.gave_up = Metrics(), threading.Event(), 0
        self.ended_by = 0

    def _read(self, words: list[str]) -> None:
        rest = iter(words)
        for word in rest:
            if word == "-d":
                self.driver = next(rest)
            elif word == "-D":
                name, _, value = next(rest).partition("=")
                self.options[name] = value
            elif word == "-f":
                self.config = next(rest)
            elif word == "--steps":
                self.steps = next(rest)
            elif word == "--no-steps":
                self.skipped = next(rest)
            elif word.startswith("--") and "=" in word:
                name, _, value = word[2:].partition("=")
                if name not in dict(RUN + OWN):
                    raise Wrong(
                        f'failed to run go workload: define workload "{self.workload}": unknown CLI parameter "{name}"'
                    )
                self.given[name] = value
            else:
                raise Wrong(f"unknown argument {word!r}")

    def connect(self) -> Connection:
        until = time.monotonic() + 5
        while True:
            try:
                return Connection(self.options["url"])
            except DatabaseError as error:
                log("WARN", "Database not ready, retrying", error=str(error))
                if time.monotonic() > until or self.stop.wait(0.5):
                    raise Wrong(f"failed to run go workload: driver dispatch: {error}") from error

    def wanted(self, step: str) -> bool:
        return step in self.steps.split(",") if self.steps else step not in self.skipped.split(",")

    def run(self) -> int:
        family = self.workload.partition("/")[0]
        if " " in self.workload:
            connection = self.connect()
            connection.execute(self.workload)
            connection.close()
            return 0
        if family not in TABLES:
            raise Wrong(
                f'invalid config: unknown workload; expected a registered Go workload: "{self.workload}"'
            )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._interrupted)
        exporter = threading.Thread(target=self._export, daemon=True)
        exporter.start()
        if self.driver != "noop":
            self.connect().close()
        self._prepare(family)
        begun = time.monotonic()
        if self.wanted("workload") and self.driver != "noop":
            self._load(family, begun)
        else:
            self.metrics.count("iterations_total")
            self.metrics.time("iteration_duration", 0)
        elapsed = time.monotonic() - begun
        self.stop.set()
        exporter.join()
        if family == "tpcc":
            self._comply(elapsed)
        if self.metrics.counters:
            self.metrics.summary()
        return 128 + self.ended_by if self.ended_by else 0

    def _interrupted(self, number: int, frame: object) -> None:
        self.ended_by = number
        self.stop.set()

    def _prepare(self, family: str) -> None:
        connection = None
        for step in SETUP:
            if not self.wanted(step):
                log("INFO", f"workload\tSkipping step '{step}'")
                continue
            log("INFO", f"workload\tStart of '{step}' step")
            if self.driver != "noop":
                connection = connection or self.connect()
                self._setup(connection, family, step)
            log("INFO", f"workload\tEnd of '{step}' step (took 1ms)")
        if connection:
            connection.close()

    def _setup(self, connection: Connection, family: str, step: str) -> None:
        rows = ACCOUNTS * int(self.given.get("scale-factor", "1"))
        table, main = TABLES[family], f"{family}_accounts"
        if step == "drop_schema":
            connection.execute(f"DROP TABLE IF EXISTS {main}, {table}")
        elif step == "create_schema":
            connection.execute(f"CREATE TABLE {main} (id int PRIMARY KEY, balance int NOT NULL)")
            connection.execute(f"CREATE TABLE {table} (id bigint PRIMARY KEY, account int, kind text)")
        else:
            connection.execute(f"INSERT INTO {main} SELECT n, 0 FROM generate_series(1, {rows}) n")
            self.metrics.count("insert_rows_total", rows)

    def _load(self, family: str, begun: float) -> None:
        until = begun + seconds(self.given["duration"]) if "duration" in self.given else None
        left = iter(range(int(self.given.get("iterations", "1"))))
        lock = threading.Lock()

        def more() -> bool:
            if self.stop.is_set():
                return False
            if until is not None:
                return time.monotonic() < until
            with lock:
                return next(left, None) is not None

        users = [
            threading.Thread(target=self._user, args=(number, family, more))
            for number in range(1, int(self.given.get("vus", "1")) + 1)
        ]
        for user in users:
            user.start()
        for user in users:
            user.join()

    def _user(self, number: int, family: str, more: Any) -> None:
        chance, connection, key = random.Random(number), None, number * KEYS
        while more():
            key += 1
            kind = (
                chance.choices([name for name, _ in MIX], [share for _, share in MIX])[0]
                if family == "tpcc"
                else family
            )
            begun = time.monotonic()
            try:
                connection = connection or self.connect()
                account = chance.randint(1, ACCOUNTS)
                connection.execute(
                    f"UPDATE {family}_accounts SET balance = balance + 1 WHERE id = {account}",
                    f"INSERT INTO {TABLES[family]} VALUES ({key}, {account}, '{kind}')",
                )
                error = ""
            except (DatabaseError, Wrong) as caught:
                error = str(caught)
            took = (time.monotonic() - begun) * 1000
            self._note(kind, family, took, failed=bool(error))
            if error:
                log("ERROR", "bench/runtime.go:489\titeration failed", vu=number, error=error)
                return
        if connection:
            connection.close()

    def _note(self, kind: str, family: str, took: float, *, failed: bool) -> None:
        metrics = self.metrics
        if family == "tpcc" and not failed:
            metrics.count(f"tpcc_{kind}_total")
            metrics.time(f"tpcc_{kind}_duration", took)
        for name in (
            "transactions_total",
            "iterations_total",
            "tx_errors_total" if failed else "tx_commits_total",
        ):
            metrics.count(name)
        for name in ("iteration_duration", "tx_total_duration"):
            metrics.time(name, took)
        metrics.time("tx_queries_per_tx", 2)

    def _comply(self, elapsed: float) -> None:
        orders = self.metrics.counters.get("tpcc_new_order_total", 0)
        told = {
            "workload": self.workload,
            "paced": False,
            "compliance_applicable": False,
            "elapsed_seconds": elapsed,
            "tpm_c": 60 * orders / elapsed,
            "mix_compliant": None,
            "response_compliant": None,
        }
        print(json.dumps({"compliance": told}, separators=(",", ":")), flush=True)

    def _export(self) -> None:
        path = self.config or "stroppy-config.json"
        if not Path(path).exists():
            return
        config = json.loads(Path(path).read_text())
        endpoint = config.get("global", {}).get("exporter", {}).get("otlpExport", {}).get("otlpHttpEndpoint")
        pause = int(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "10000")) / 1000
        last, straight = False, urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while endpoint and not last:
            last = self.stop.wait(pause)
            request = urllib.request.Request(f"http://{endpoint}/v1/metrics", data=self.metrics.otlp())
            straight.open(request, timeout=5).close()


def seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    unit = next(unit for unit in units if text.endswith(unit))
    return float(text.removesuffix(unit)) * units[unit]


def main(words: list[str]) -> int:
    match words:
        case ["version"]:
            print("stroppy  v0.0.1-stand-in\npgx      v5.10.0")
        case ["run", "--help"]:
            print(HELP)
        case ["help", "drivers"]:
            print(DRIVERS)
        case ["probe", "-o", "json"]:
            print(json.dumps(probe()))
        case ["run", _, *_]:
            return Bench(words[1:]).run()
        case _:
            raise Wrong(f"unknown command {words!r}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Wrong as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
