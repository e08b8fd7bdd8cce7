"""The action `wide_command` over ssh: for each host as `plain_command`, word for word, or not at all."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from loopback_sshd import loopback_sshd
from warm_family import playing

from e2e_ansible.compile.compiler import ANSIBLE_CFG, compile_suite
from e2e_ansible.content import content_files, content_root
from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.processes import family, marked
from e2e_ansible.engine.protocol import Cancel, Ended, Engine, Outcome, PlayRequest
from e2e_ansible.engine.runner import RunnerEngine
from e2e_ansible.engine.warm.engine import WarmEngine
from e2e_ansible.judge.attempt import Judged, judge_attempt
from e2e_ansible.judge.entry import AttemptEnded
from e2e_ansible.judge.record import AttemptRecord
from e2e_ansible.suite.load import load_suite
from e2e_ansible.suite.vocabulary import Vocabulary
from e2e_ansible.verdict import Cause, Verdict

REPOSITORY = Path(__file__).parents[2]
SUITE = REPOSITORY / "tests" / "golden" / "command-many" / "suite.yml"
(PLAN,) = compile_suite(load_suite(SUITE), Vocabulary.default().step_types)
MANY = [f"n{number}" for number in range(11, 41)]
ENDS = (Kind.OK, Kind.FAILED, Kind.UNREACHABLE)
TOLD = ("rc", "stdout", "stderr", "stdout_lines", "stderr_lines", "cmd", "msg", "changed", "unreachable")
SPEAK = ["/bin/sh", "-c", 'echo "$0"; echo err >&2', "a  b"]
RECORDER = """\
#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word"; done > "{folder}/$$"
"""
ODD = "#!/bin/sh\necho odd; echo bad >&2; exit 3\n"


@dataclass
class Desk:
    """A project folder, and the engine that runs its playbooks."""

    folder: Path
    engine: Engine
    events: list[Event] = field(default_factory=list)
    cancel: Cancel = field(default_factory=Cancel)

    @property
    def token(self) -> str:
        """Of all processes of here."""
        return f"wide-{self.folder.name}"

    def inventory(self, hosts: Mapping[str, str], common: str = "") -> None:
        """One line for each host, and variables of all in the words of an INI inventory."""
        lines = [*(f"{name} {more}" for name, more in hosts.items()), "[all:vars]", *shlex.split(common)]
        (self.folder / "hosts.ini").write_text("\n".join(lines) + "\n")

    def write(self, tasks: Sequence[Mapping[str, Any]], **keywords: Any) -> None:
        """The playbook."""
        text = yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": list(tasks), **keywords}])
        (self.folder / "play.yml").write_text(text)

    def run(self, tasks: Sequence[Mapping[str, Any]], *, seconds: float = 60, **keywords: Any) -> Outcome:
        """Run these tasks on all hosts."""
        self.write(tasks, **keywords)
        return self.play(seconds)

    def play(self, seconds: float = 60) -> Outcome:
        """Run the playbook."""
        self.events.clear()
        artifacts = self.folder / "artifacts"
        artifacts.mkdir(exist_ok=True)
        request = PlayRequest(self.folder, "play.yml", "hosts.ini", artifacts, seconds, self.token)
        outcome = self.engine.run(request, self.events.append, self.cancel)
        assert [path.name for path in artifacts.iterdir()] == ["ansible.log"]
        return outcome

    def results(self) -> dict[str, tuple[Kind, dict[str, Any]]]:
        """What each host ended with."""
        ends = [event for event in self.events if event.kind in ENDS]
        assert len({event.host for event in ends}) == len(ends)
        return {
            event.host: (event.kind, {key: event.result[key] for key in TOLD if key in event.result})
            for event in ends
        }


def wide(argv: Sequence[str], **more: Any) -> dict[str, Any]:
    return {"name": "Run", "wide_command": {"argv": list(argv), "timeout_seconds": 30}, **more}


def plain(argv: Sequence[str], **more: Any) -> dict[str, Any]:
    return {"name": "Run", "plain_command": {"argv": list(argv), "timeout_seconds": 30}, **more}


def compiled(argv: Sequence[str]) -> list[dict[str, Any]]:
    """As the compiler makes it of `custom_command`."""
    end = {"name": "End", "ansible.builtin.meta": "end_play", "when": "e2e_wide.done"}
    return [wide(argv, register="e2e_wide"), end, plain(argv)]


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o700)
    return path


@pytest.fixture(scope="module", params=["cold", "warm"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "cold":
        yield RunnerEngine()
        return
    made = WarmEngine(ANSIBLE_CFG, content_root(), content_files())
    yield made
    made.close()


@pytest.fixture
def desk(tmp_path: Path, engine: Engine) -> Desk:
    (tmp_path / "ansible.cfg").write_text(ANSIBLE_CFG)
    (tmp_path / "content").symlink_to(REPOSITORY)
    return Desk(tmp_path, engine)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Variables of hosts that are this machine, by one ssh master that all of them share and that is there."""
    folder = tmp_path_factory.mktemp("sshd")
    with loopback_sshd(folder) as text:
        path = folder / "m"
        variables = text.replace("ansible_control_path=none", f"ansible_control_path={path}")
        known = dict(word.split("=", 1) for word in shlex.split(variables))
        quiet = "-o StrictHostKeyChecking=no -o LogLevel=ERROR"
        login = (
            f"-p {known['ansible_port']} -i {folder}/user {known['ansible_ssh_common_args']} root@127.0.0.1"
        )
        master = f"ssh -fNM -S {path} -o ControlPersist=600 {quiet} {login}"
        subprocess.run(master.split(), check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield f"ansible_host=127.0.0.1 {variables} 'ansible_ssh_extra_args={quiet}'"
        subprocess.run(["ssh", "-S", path, "-O", "exit", "none"], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("bad", "variables", "verdict", "kind"),
    [
        ("nobody", "", Verdict.PASS, ""),
        ("n17", "ansible_shell_executable={odd}", Verdict.FAIL, "failed"),
        ("n19", "ansible_port=1 ansible_control_path=none", Verdict.FAIL, "unreachable"),
    ],
    ids=["all is well", "one fails", "one is away"],
)
def test_every_host_ends_and_is_judged_as_it_would_be_by_itself(
    desk: Desk, server: str, bad: str, variables: str, verdict: Verdict, kind: str
) -> None:
    odd = executable(desk.folder / "odd", ODD)
    hosts = dict.fromkeys(MANY, "") | ({bad: variables.format(odd=odd)} if variables else {})
    desk.inventory(hosts, server)
    found = []
    for tasks in ([plain(SPEAK)], compiled(SPEAK)):
        judged = judge(desk, desk.run(tasks))
        failures = [(one.host, one.kind, one.message, one.rc, one.task) for one in judged.facts.failures]
        found.append((judged.verdict, judged.cause, judged.error, failures, desk.results()))
    assert found[0] == found[1]
    given, _, _, failures, results = found[1]
    assert given is verdict
    assert [failure[:2] for failure in failures] == ([(bad, kind)] if kind else [])
    assert results.keys() == hosts.keys()
    assert results["n11"][1]["stdout"] == "a  b"


def test_what_is_compiled_for_twenty_nodes_runs_as_it_is(desk: Desk, server: str) -> None:
    desk.inventory(dict.fromkeys(PLAN.steps[0].hosts, ""), server)
    (desk.folder / "play.yml").write_text(PLAN.files[PLAN.steps[0].playbook])
    judged = judge(desk, desk.play())
    assert (judged.verdict, judged.cause) == (Verdict.FAIL, Cause.PRODUCT)
    assert {one.host for one in judged.facts.failures} == set(PLAN.steps[0].hosts)
    assert {(one.rc, one.task, one.action, one.playbook_line) for one in judged.facts.failures} == {
        (1, "Run the command", "wide_command", PLAN.steps[0].lines["Run the command"])
    }
    (words,) = {tuple(result["cmd"]) for _, result in desk.results().values()}
    assert words == ("test", "{{ 1 + 1 }}", "=", "2")


def judge(desk: Desk, outcome: Outcome) -> Judged:
    """As a run judges the step."""
    ended = AttemptEnded(at=2.0, step=PLAN.steps[0].id, attempt=1, outcome=outcome)
    return judge_attempt(PLAN, PLAN.steps[0], AttemptRecord(number=1, started=1.0, ended=ended), desk.events)


KEY = "/tmp/some key"
WAYS: Mapping[str, str] = {
    "first": "ansible_shell_executable=/bin/dash ansible_timeout=7",  # whose values must not become the others'
    "nothing": "",
    "address": "ansible_host=192.0.2.1",
    "user": "ansible_user=somebody",
    "old-user": "ansible_ssh_user=somebody",
    "port": "ansible_port=2222",
    "key": "ansible_ssh_private_key_file=~/some/key",
    "key-with-blank": f"ansible_private_key_file='{KEY}'",
    "args": "ansible_ssh_args='-o Compression=yes -o ControlPersist=5s -o ControlMaster=auto'",
    "no-master": "ansible_ssh_args=''",
    "jump": "ansible_ssh_common_args='-J me@192.0.2.7:2200,192.0.2.8'",
    "proxy": """ansible_ssh_common_args='-o ProxyCommand="ssh -W %h:%p -q user@192.0.2.7"'""",
    "extra": "ansible_ssh_extra_args='-o LogLevel=ERROR -4'",
    "all-args": "ansible_ssh_common_args=-4 ansible_ssh_extra_args=-6 ansible_ssh_args=-C",
    "path": "ansible_control_path='%(directory)s/%%C'",
    "folder": "ansible_control_path_dir={folder}/other",
    "own-path": "ansible_ssh_common_args='-o ControlPath=/tmp/%C'",
    "unchecked": "ansible_host_key_checking=false",
    "time": "ansible_ssh_timeout=3",
    "verbose": "ansible_ssh_verbosity=2",
    "no-tty": "ansible_ssh_use_tty=false",
    "sudo": "ansible_become=true",
    "sudo-user": "ansible_become=true ansible_become_user=postgres",
    "sudo-flags": "ansible_become=true ansible_become_flags='-H -n' ansible_become_exe=/opt/sudo",
    "not-sudo": "ansible_become=false",
    "shell": "ansible_shell_executable=/bin/bash",
    "templates": """ansible_user="{{ inventory_hostname }}" ansible_port="{{ 22 + 1 }}" """,
    "template-of-shell": """ansible_shell_executable="{{ '/bin/' ~ 'bash' }}" """,
    "of-others": """ansible_ssh_common_args="-J {{ hostvars['address'].ansible_host }}" """,
    "irrelevant": "ansible_pipelining=false ansible_ssh_transfer_method=piped ansible_remote_tmp=/x",
}


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"remote_user": "of_play", "port": 2022},
        {"become": True, "become_user": "of_play"},
        {"vars": {"ansible_user": "of_vars", "ansible_ssh_common_args": "-o User=none"}},
    ],
    ids=["nothing", "user-and-port", "become", "variables"],
)
def test_ssh_is_called_word_for_word_as_for_each_host_by_itself(
    desk: Desk, keywords: Mapping[str, Any]
) -> None:
    folder = desk.folder / "calls"
    ssh = executable(desk.folder / "ssh", RECORDER.format(folder=folder))
    desk.inventory(
        {
            name: more.format(folder=desk.folder) if "{folder}" in more else more
            for name, more in WAYS.items()
        },
        f"ansible_ssh_executable={ssh} ansible_control_path_dir={desk.folder}/cp",
    )
    calls = []
    for task in (plain(SPEAK), wide(SPEAK)):
        folder.mkdir()
        assert desk.run([task], **keywords).rc == 0
        calls.append(sorted(map(words, folder.iterdir())))
        assert len(calls[-1]) == len(WAYS)
        for call in folder.iterdir():
            call.unlink()
        folder.rmdir()
    assert calls[0] == calls[1]


OTHER_CONNECTION = """\
DOCUMENTATION = '{name: other, author: us, short_description: another way, options: {}}'
from ansible.plugins.connection.local import Connection as Local
class Connection(Local):
    transport = 'other'
"""


def another_connection(desk: Desk) -> None:
    """A plugin beside the playbook for a connection that nothing is known of."""
    (desk.folder / "connection_plugins").mkdir()
    (desk.folder / "connection_plugins" / "other.py").write_text(OTHER_CONNECTION)


def test_local_hosts_are_done_at_once(desk: Desk) -> None:
    local = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
    desk.inventory(dict.fromkeys(("n0", "n1", "n2"), local))
    assert desk.run(compiled(SPEAK)).rc == 0
    ends = [event for event in desk.events if event.kind is Kind.OK and "rc" in event.result]
    assert {event.host: event.result["stdout"] for event in ends} == dict.fromkeys(("n0", "n1", "n2"), "a  b")
    assert {event.data["task_action"] for event in ends} == {"wide_command"}


def words(call: Path) -> list[str]:
    """The arguments of one call, without the marker of sudo, which is another one each time."""
    return re.sub(r"BECOME-SUCCESS-\w+", "BECOME", call.read_text()).split("\0")


UNFIT: Mapping[str, tuple[str, Mapping[str, Any], str]] = {
    "another connection": ("ansible_connection=other", {}, "n1: the connection is other"),
    "a password": ("ansible_password=secret", {}, "n1: ssh needs a secret"),
    "a password of sudo": ("ansible_become=true ansible_become_password=x", {}, "n1: sudo may ask"),
    "another way to become": ("ansible_become=true ansible_become_method=su", {}, "n1: su may ask"),
    "a value that cannot be": ('ansible_user="{{ nothing }}"', {}, "n1: "),
    "a plugin that is not there": ("ansible_connection=no_such", {}, "n1: "),
    "another host": ("", {"delegate_to": "n0"}, "the task has delegate_to"),
    "tries": ("", {"until": True, "retries": 1}, "the task has until"),
    "a secret": ("", {"no_log": True}, ""),
    "a limit": ("", {"timeout": 20}, "the task has timeout"),
}


@pytest.mark.parametrize("case", UNFIT.values(), ids=UNFIT)
def test_what_it_cannot_do_it_does_nowhere(desk: Desk, case: tuple[str, Mapping[str, Any], str]) -> None:
    variables, keywords, reason = case
    another_connection(desk)
    folder = desk.folder / "calls"
    folder.mkdir()
    ssh = executable(desk.folder / "ssh", RECORDER.format(folder=folder))
    desk.inventory({"n0": "", "n1": variables}, f"ansible_ssh_executable={ssh}")
    show = {"ansible.builtin.debug": {"var": "found.done"}, "run_once": True}
    assert desk.run([wide(["true"], register="found", **keywords), show]).rc == 0
    (task, shown, *_) = [event for event in desk.events if event.kind is Kind.OK]
    assert shown.result["found.done"] is False
    assert reason in task.result.get("msg", "")
    assert list(folder.iterdir()) == []


def test_a_play_in_batches_goes_the_ordinary_way(desk: Desk) -> None:
    desk.inventory({"n0": "", "n1": ""})
    assert desk.run([wide(["true"])], serial=1).rc == 0
    said = [event.result["msg"] for event in desk.events if event.kind is Kind.OK]
    assert said == ["not done at once: the play has serial"] * 2


def test_a_play_with_one_host_that_it_cannot_do_goes_the_ordinary_way_for_all(
    desk: Desk, server: str
) -> None:
    another_connection(desk)
    hosts = {"n0": "", "n1": "ansible_connection=other", "n2": ""}
    desk.inventory(hosts, server)
    assert desk.run(compiled(SPEAK)).rc == 0
    ends = [event for event in desk.events if event.kind is Kind.OK and "rc" in event.result]
    assert {event.host: event.result["stdout"] for event in ends} == dict.fromkeys(hosts, "a  b")
    assert {event.data["task_action"] for event in ends} == {"plain_command"}


SLEEP = "mkdir {first} 2>/dev/null && exit 0; : > {up}.$$; sleep 47"


@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_what_is_cut_off_leaves_no_ssh_client_and_tells_how_far_it_came(
    desk: Desk, server: str, how: str
) -> None:
    hosts = MANY[:5]
    desk.inventory(dict.fromkeys(hosts, ""), server)
    first, up = desk.folder / "first", desk.folder / "up"

    def one_has_ended_and_two_sleep() -> bool:
        written = "".join(file.read_text() for file in desk.folder.glob("artifacts/wide-*"))
        return '"result"' in written and len(list(desk.folder.glob("up.*"))) >= 2

    def once_they_sleep() -> None:
        if Deadline(30).wait_for(one_has_ended_and_two_sleep) and how == "cancel":
            desk.cancel.set()

    watcher = threading.Thread(target=once_they_sleep)
    watcher.start()
    sleep = ["/bin/sh", "-c", SLEEP.format(first=first, up=up)]
    outcome = desk.run([wide(sleep)], seconds=60 if how == "cancel" else 8)
    watcher.join()
    assert outcome.ended is (Ended.CANCELED if how == "cancel" else Ended.TIMEOUT)
    assert clients(desk) == []
    facts = judge(desk, outcome).facts
    assert len(facts.results) >= 1
    assert len(facts.under_way) >= 2
    assert not set(facts.under_way) & set(facts.results)
    assert {*facts.under_way, *facts.results} <= set(hosts)


def clients(desk: Desk) -> list[str]:
    """What still runs of the playbook; the master of ssh may."""
    forked = playing(desk.engine) if isinstance(desk.engine, WarmEngine) else []
    found = []
    for pid in (*marked(desk.token), *forked):
        try:
            found.append((Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in found if line and "[mux]" not in line]


def by_hand(desk: Desk) -> subprocess.Popen[str]:
    """`ansible-playbook` as a user would run it."""
    binary = Path(sys.executable).with_name("ansible-playbook")
    return subprocess.Popen(
        [binary, "-i", "hosts.ini", "play.yml"], cwd=desk.folder, stdout=subprocess.PIPE, text=True
    )


def test_by_hand_it_fails_and_names_the_hosts(desk: Desk, server: str) -> None:
    odd = executable(desk.folder / "odd", ODD)
    desk.inventory({"n0": "", "n1": f"ansible_shell_executable={odd}", "n2": ""}, server)
    desk.write(compiled(SPEAK))
    with by_hand(desk) as process:
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 2
    assert "done on 2 of 3 hosts; n1: non-zero return code bad odd" in said
    assert "a  b" not in said


def test_by_hand_its_ssh_clients_end_with_it(desk: Desk, server: str) -> None:
    desk.inventory(dict.fromkeys(MANY[:3], ""), server)
    up = desk.folder / "up"
    desk.write([wide(["/bin/sh", "-c", f": > {up}.$$; sleep 47"])])
    with by_hand(desk) as process:
        assert Deadline(30).wait_for(lambda: len(list(desk.folder.glob("up.*"))) == 3)
        family_of_it = family(process.pid)
        assert sum("ssh" in name(pid) for pid in family_of_it) >= 3
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)
    assert Deadline(5).wait_for(lambda: not any(map(name, family_of_it)))


def name(pid: int) -> str:
    """Of a program that runs; nothing if it has ended."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_text()
    except OSError:
        return ""
