"""What is wrong in a suite of loads, and on the command line that runs it: where, what, and the nearest right one."""

from __future__ import annotations

import re

import pytest
from cli_desk import FINE, Desk, Done

from e2e_ansible.load import registry
from e2e_ansible.load.pgbench import Pgbench

CLUSTER = "parameters: {cluster_size: 1, database: standalone, clients: 1}\n"
EXISTING = "workflow: [{step: run_pgbench}]\n"


def parameters(said: str) -> str:
    """A suite with these parameters; § is where the problem stands."""
    return f"parameters: {{{said}}}\n{FINE}"


def step(said: str) -> str:
    """A suite with this step in it."""
    return f"{CLUSTER}workflow:\n- {{step: init, name: plan}}\n- {{step: {said}}}\n"


def load(said: str) -> str:
    """A suite that runs pgbench so."""
    return step(f"run_pgbench, {said}")


WRONG: list[tuple[str, str, str]] = [
    (f"time_class: §fsat\n{FINE}", "not 'fsat'", "did you mean 'fast'?"),
    (parameters("hardware: {§databse: {cpus: 1}}"), "label 'databse'", "did you mean 'database'?"),
    (parameters("hardware: {database: {§cpu: 1}}"), "unknown key 'cpu'", "did you mean 'cpus'?"),
    (parameters("hardware: {database: {cpus: §0}}"), "must be more than 0, not 0", ""),
    (parameters("hardware: {database: {memory_gb: §2GB}}"), "must be a number, not '2GB'", "GiB of memory"),
    (parameters("hardware: {database: {memory_gb: §'2'}}"), "not '2'", "write 2 without quotes"),
    (parameters("hardware: {§client: {cpus: 1}}"), "no node of this test has", "known: database, setup_software"),
    (parameters("labels: {cache: [n11, §n99]}"), "this test has no node 'n99'", "known: n11, n12, n13"),
    (parameters("labels: {§database: [n11]}"), "cannot be given", "use cluster_size and clients"),
    (parameters("labels: {§n11: [n12]}"), "n11 is a group or a node", ""),
    (parameters("labels: {§a-b: [n11]}"), "'a-b' is not a name", "only small letters, digits and '_'"),
    (parameters("labels: {cache: §n11}"), "must be a list, not 'n11'", "write ['n11']"),
    (parameters("postgres_version: §12"), "PostgreSQL 12 cannot be installed", "versions 13 to 18 can"),
    (parameters("postgres_version: §'16.2'"), "cannot be '16.2'", "Major version"),
    (parameters("postgres_settings: {§shared_bufers: 1GB}"), "no setting 'shared_bufers'", "'shared_buffers'"),
    (parameters("postgres_settings: {work_mem: §1 GiB}"), "'GiB' is no unit", "units are B, kB, MB"),
    (parameters("stroppy: {§comit: d8fb5897ca07}"), "unknown key 'comit'", "did you mean 'commit'?"),
    ("matrix: {s: {a: {work_mem: §1XB}}}\n" + parameters("postgres_settings: '${matrix.s}'"), "'1XB'", "units are"),
    ("matrix: {s: {a: {x: 1MB}}}\n" + parameters("postgres_settings: {work_mem: §'${matrix.s.y}'}"),
        "unknown matrix value 's.y'", "did you mean 's.x'?"),
    (f"parameters: {{database: §existing}}\n{EXISTING}", "needs 'connection'", "write connection: {env: NAME}"),
    (f"parameters: {{database: existing, connection: {{§evn: X}}}}\n{EXISTING}", "unknown key 'evn'", "'env'"),
    (f"parameters: {{database: existing, connection: §'postgres://u:hunter2@h/d'}}\n{EXISTING}",
        "must be a mapping, not 'postgres://u:*******@h/d'", "{env: NAME} or {file: PATH}"),
    (step("install, name: a, service: redis, needs: [§pln]"), "no step named 'pln'", "did you mean 'plan'?"),
    (step("install, name: a, service: redis, needs: §plan"), "must be a list, not 'plan'", "write ['plan']"),
    (step("install, service: §postgersql"), "not 'postgersql'", "did you mean 'postgresql'?"),
    (step("install, service: §proxy"), "needs the parameter proxy", "write proxy: haproxy"),
    (step("install, service: redis, targets: [§databse]"), "no node 'databse'", "did you mean 'database'?"),
    (step("build_artifact, artifact: §stropy"), "not 'stropy'", "did you mean 'stroppy'?"),
    (step("build_artifact, artifact: packages, §package: [redis]"), "unknown key", "did you mean 'packages'?"),
    (step("load_artifact, artifact: stroppy, targets: [§cleint]"), "no node 'cleint'", "'client'"),
    (load("limits: {§eror_rate: 0.1}"), "unknown key 'eror_rate'", "did you mean 'error_rate'?"),
    (load("limits: {error_rate: §5}"), "must be at most 1, not 5", ""),
    (load("limits: {error_rate: §1%}"), "must be a number, not '1%'", "0 to 1"),
    (load("limits: {p99_ms: §10ms}"), "must be a number, not '10ms'", "milliseconds"),
    (load("builtin: §tpcb"), "not 'tpcb'", "did you mean 'tpcb-like'?"),
    (load("scale: §0"), "must be at least 1, not 0", ""),
    (load("§duration: 10"), "unknown key 'duration'", "did you mean 'duration_seconds'?"),
    (load("scripts: [§onw.sql]"), "there is no file 'onw.sql' beside the suite", "did you mean 'own.sql'?"),
    (load("scripts: [§sub/onw.sql]"), "there is no file 'sub/onw.sql'", "did you mean 'sub/own.sql'?"),
    (load("scripts: [§../own.sql]"), "cannot be '../own.sql'", "beside the suite"),
    (step("run_load, tool: §pgbnch, command: [x]"), "no load tool named 'pgbnch'", "did you mean 'pgbench'?"),
    (step("run_load, tool: §mine, command: [x]"), "no load tool named 'mine'", "known: pgbench, stroppy; one of the"),
    (step("run_load, tool: pgbench, command: §x y"), "must be a list, not 'x y'", "write ['x', 'y']"),
    (step("run_load, tool: pgbench, command: [x], env: {§A-B: y}"), "'A-B' is not a name", "letters, digits and '_'"),
    (step("run_load, tool: pgbench, command: [x], copies: {x: §far/own.sql}"), "'far/own.sql'", "looked for in far"),
    (step("run_load, tool: pgbench, command: [x], copies: {x: §''}"), "there is no file ''", "it is looked for in"),
    (step(f"run_load, tool: pgbench, command: [x], copies: {{x: §{'a' * 300}}}"), "there is no file 'aaa", "it is"),
    (step("run_stroppy, workload: tpcc/tx, config: §my.jsn"), "no file 'my.jsn'", "did you mean 'my.json'?"),
]  # fmt: skip


def refused(desk: Desk, text: str, command: str) -> Done:
    """What a command says of a suite whose only problem is at §; it does nothing."""
    before, _, after = text.partition("§")
    for name in ("own.sql", "sub/own.sql", "my.json"):
        desk.write(name, "")
    desk.write("s.yaml", before + after)
    state = desk.state()
    done = desk.call(*command.split())
    assert (done.code, done.out) == (2, "")
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
    assert re.findall(r"^s\.yaml:(\d+):(\d+): error: ", done.err, re.M) == [(str(line), str(column))]
    assert desk.state() == state
    return done


@pytest.mark.parametrize(("text", "told", "hint"), WRONG)
def test_what_is_wrong_in_a_suite_of_loads_is_told_with_its_place(
    desk: Desk, text: str, told: str, hint: str
) -> None:
    done = refused(desk, text, "validate s.yaml")
    assert told in done.err
    hints = re.findall(r"^  hint: (.*)$", done.err, re.M)
    assert hint in hints[0] if hint else hints == []
    assert "hunter2" not in done.err


@pytest.mark.parametrize("command", ["plan s.yaml -o made", "run s.yaml", "run s.yaml --dry-run"])
@pytest.mark.parametrize("text", [text for text, _, _ in WRONG[::9]])
def test_other_commands_say_the_same(desk: Desk, text: str, command: str) -> None:
    assert refused(desk, text, command).err == refused(desk, text, "validate s.yaml").err


def test_a_tool_that_is_registered_is_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(Pgbench):
        name = "mine"

    monkeypatch.setitem(registry._registered, "mine", Mine())
    desk.write("s.yaml", step("run_load, tool: mine, command: [x], copies: {x: /etc/hostname, y: own.sql}"))
    desk.write("own.sql", "")
    assert desk.call("validate", "s.yaml").code == 0


LINES = [
    ("--repeat 0", "--repeat", "'0'"),
    ("--repeat two", "--repeat", "'two'"),
    ("--parallel 0", "--parallel", "'0'"),
    ("--max-nodes none", "--max-nodes", "'none'"),
    ("--keep allways", "'always'", "'allways'"),
    ("--time-class fsat", "'fsat'", "did you mean 'fast'?"),
    ("--budget nodes:3", "'nodes:3'", "write nodes=3"),
    ("--budget memory_gb=8GB", "'8GB'", "write memory_gb=8"),
    ("--budget nodes=2", "s.yaml:1: test s needs 3 nodes, with a budget of 2 nodes", "--budget"),
]


@pytest.mark.parametrize(("options", "told", "near"), LINES)
def test_a_wrong_option_is_told_with_its_value(desk: Desk, options: str, told: str, near: str) -> None:
    desk.write("s.yaml", FINE)
    state = desk.state()
    done = desk.call("run", "s.yaml", *options.split())
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert near in done.err
    assert desk.state() == state
