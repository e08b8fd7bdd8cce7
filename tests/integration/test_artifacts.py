"""What is made once on the controller, by real Go and real apt, and installed on real nodes without a network."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from go_module import GoModule, serve_module
from real_runs import Real, run_steps
from role_nodes import Cluster, Played, cluster

from e2e_ansible.artifacts import golang
from e2e_ansible.artifacts.delivery import Hands
from e2e_ansible.artifacts.packages import Wanted, load_packages, pack
from e2e_ansible.artifacts.stroppy import MODULE, Program, Source, program
from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import InfrastructureError
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.local.image import image_key
from e2e_ansible.providers.releases import DEFAULT_SUITE, Release
from e2e_ansible.verdict import Cause, Verdict

pytestmark = pytest.mark.nodes
KEYS: list[str] = []
PASSWORDS: list[str] = []
REDIS = ("redis-server",)
CUT = ["sh", "-c", "ip route del default && ! ip route get 203.0.113.1"]
# The role itself has asked Redis with the password; without it nobody is served.
SEEN = """
set -e
stroppy version
GOCOVERDIR=/var/lib/e2e-coverage stroppy | grep 'it ran'
redis-cli ping | grep NOAUTH
grep -q requirepass /etc/redis/e2e.conf
[ "$(stat -c %a /etc/redis/e2e.conf)" = 640 ]
"""


@pytest.fixture(scope="module", autouse=True)
def nothing_stays_in_the_cache() -> Iterator[None]:
    """What these tests have put there is of no use to anybody else."""
    yield
    for key in KEYS:
        for entry in (default_home() / "cache/stroppy").glob(f"*{key}*"):
            forget(entry)


def forget(entry: Path) -> None:
    if entry.is_dir():
        shutil.rmtree(entry)
    else:
        entry.unlink()


def a_module(folder: Path, **more: str) -> GoModule:
    module = serve_module(folder, **more)
    KEYS.append(module.commit)
    return module


# ---- a whole run: artifacts first, then nodes, then a network that is gone


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    """Everything that a node gets comes from the controller."""
    folder = tmp_path_factory.mktemp("whole")
    module = a_module(folder / "proxy")
    for entry in (default_home() / "cache/packages").glob(f"{image_key(Release(DEFAULT_SUITE))}-*"):
        forget(entry)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in module.environment.items():
            patch.setenv(name, value)
        yield run_steps(
            folder,
            [
                {"step": "build_artifact", "artifact": "stroppy"},
                {"step": "build_artifact", "artifact": "packages", "packages": list(REDIS)},
                {"step": "create_nodes"},
                {"step": "load_artifact", "artifact": "stroppy", "targets": ["run_stroppy"]},
                {"step": "load_artifact", "artifact": "packages", "packages": list(REDIS)},
                {"step": "custom_command", "custom_command": CUT, "targets": ["n11", "c11"]},
                {"step": "install", "service": "stroppy"},
                {"step": "install", "service": "redis", "targets": ["c11"]},
                {
                    "step": "custom_command",
                    "custom_command": ["sh", "-c", SEEN],
                    "targets": ["c11"],
                    "register": "seen",
                },
                {"step": "destroy"},
            ],
            acts={"install": remember},
            clients=1,
            coverage={},
            stroppy={"commit": module.commit, "coverage": True},
        )


def remember(nodes: Cluster) -> None:
    PASSWORDS.append(Path(nodes.variable("c11", "e2e_client_password_file")).read_text().strip())


def test_nodes_without_a_network_get_what_was_made_before_there_were_nodes(whole: Real) -> None:
    assert whole.test.verdict is Verdict.PASS, whole.test.error
    said = (whole.folder / whole.test.folder / "plan/registered.json").read_text()
    assert "stroppy  " in said
    assert "it ran" in said
    assert "NOAUTH" in said
    (password,) = PASSWORDS
    files = [path for path in whole.folder.rglob("*") if path.is_file()]
    assert len(password) > 7
    assert [path for path in files if password.encode() in path.read_bytes()] == []


def test_what_a_program_noted_of_its_lines_is_there_although_its_node_was_destroyed(whole: Real) -> None:
    place = whole.folder / whole.test.folder / "coverage"
    assert [path.name for path in place.iterdir()] == ["c11"]
    asked = [golang.go_program(), "tool", "covdata", "percent", f"-i={place / 'c11'}"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    print(said)
    # Of two functions of the package one was called.
    assert [line.split()[2] for line in said.splitlines() if "/words" in line] == ["50.0%"]
    assert "coverage" in whole.test.evidence


def test_coverage_that_nobody_noted_is_not_silently_green(tmp_path: Path) -> None:
    real = run_steps(tmp_path, [{"step": "make_nodes"}], coverage={"directory": "/var/lib/nowhere"})
    assert (real.test.verdict, real.test.cause) == (Verdict.FAIL, Cause.INFRASTRUCTURE)
    assert "no coverage was collected: no node has a file in /var/lib/nowhere" in real.test.error


def test_a_unit_is_stopped_for_its_coverage_also_when_the_test_has_failed(tmp_path: Path) -> None:
    unit = "trap 'echo noted >/var/lib/e2e-coverage/covcounters.1; exit' TERM; while :; do sleep 0.1; done"
    start = ["systemd-run", "--unit=writer", "sh", "-c", unit]
    real = run_steps(
        tmp_path,
        [
            {"step": "make_nodes"},
            {
                "step": "custom_command",
                "custom_command": ["mkdir", "/var/lib/e2e-coverage"],
                "targets": ["n11"],
            },
            {"step": "custom_command", "custom_command": start, "targets": ["n11"]},
            {"step": "custom_command", "custom_command": ["false"], "targets": ["n11"]},
        ],
        coverage={"stop": ["writer.service", "nobody-has-this.service"]},
    )
    assert real.decided("custom_command") == (Verdict.FAIL, Cause.PRODUCT)
    file = real.folder / real.test.folder / "coverage/n11/covcounters.1"
    assert file.read_text() == "noted\n"


# ---- the role by hand


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(("c11",), tmp_path_factory.mktemp("inventory")) as made:
        yield made


def install(node: Cluster, *options: str, **variables: object) -> Played:
    return node.play(
        "stroppy", ("c11",), *options, **{f"stroppy_{key}": value for key, value in variables.items()}
    )


def an_archive(folder: Path, text: str, name: str = "./stroppy") -> Path:
    """A release with a script in place of the program."""
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:8]}.tar.gz"
    data = f"#!/bin/sh\n# {os.urandom(8).hex()}\n{text}\n".encode()
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    KEYS.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_the_role_installs_an_archive_once_and_says_what_it_is(node: Cluster, tmp_path: Path) -> None:
    archive = an_archive(tmp_path, "echo stroppy  v9.9")
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    would = install(node, "--check", archive=str(archive), sha256=sha256)
    assert (would.code, would.changed) == (0, {"c11": 1}), would.output
    assert node.try_ssh("c11", "stroppy version").returncode == 127
    done = install(node, archive=str(archive), sha256=sha256)
    assert (done.code, done.changed) == (0, {"c11": 1}), done.output
    assert f"/usr/local/bin/stroppy from {archive} says: stroppy v9.9" in " ".join(done.output.split())
    again = install(node, "--check", archive=str(archive))
    assert (again.code, again.changed) == (0, {"c11": 0}), again.output


def test_what_does_not_run_on_the_node_leaves_what_was_there(node: Cluster, tmp_path: Path) -> None:
    good = an_archive(tmp_path, "echo stroppy  v1")
    assert install(node, archive=str(good)).code == 0
    broken = install(node, archive=str(an_archive(tmp_path, "echo it needs a library >&2; exit 127")))
    assert broken.code != 0
    assert "could not install" in broken.output
    assert "it needs a library" in broken.output
    assert node.ssh("c11", "stroppy version; ls /usr/local/bin") == "stroppy v1\nstroppy"


def test_redis_wants_a_password_that_its_settings_can_have(node: Cluster, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("two words\n")
    done = node.play("redis", ("c11",), redis_password_file=str(tmp_path / "password"))
    assert done.code != 0
    assert "must be 8 to 512 letters" in done.output
    assert "two words" not in done.output


# Holds one of the locks until its unit is stopped: dpkg's is of another kind than that of the roles.
HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
(fcntl.lockf if "dpkg" in sys.argv[1] else fcntl.flock)(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""
LOCKS = {"turn": "/run/lock/e2e-packages.lock", "dpkg": "/var/lib/dpkg/lock-frontend"}
APT_INSTALLS = "pgrep -f '^apt-get .*Lock::Timeout.* install'"


def hold(node: Cluster, unit: str) -> None:
    script = f"cat >/run/hold.py && systemd-run --quiet --unit={unit} python3 /run/hold.py {LOCKS[unit]}"
    node.ssh("c11", script, text=HOLD)
    said = f"journalctl -q -u {unit} -o cat"
    assert Deadline(30).wait_for(lambda: "held" in node.ssh("c11", said), 0.1)


def waiting(node: Cluster) -> int:
    """How many wait for their turn."""
    return int(node.try_ssh("c11", "pgrep -xc flock").stdout)


def test_two_installations_on_one_node_take_turns_and_wait_for_a_foreign_one(node: Cluster) -> None:
    """Each needs apt; the locks are held until both, and then one of them, are seen to wait."""
    node.ssh("c11", "apt-get -qq purge --yes cockpit-ws >/dev/null")
    for unit in LOCKS:
        hold(node, unit)
    with ThreadPoolExecutor(2) as both:
        plays = [both.submit(node.play, role, ("c11",)) for role in ("redis", "admin_ui")]
        try:
            assert Deadline(60).wait_for(lambda: waiting(node) == 2, 0.1)
            node.ssh("c11", "systemctl stop turn")
            # One has its turn and waits for dpkg as apt does, which asks again and again; the other one still waits.
            assert Deadline(60).wait_for(lambda: node.try_ssh("c11", APT_INSTALLS).returncode == 0, 0.1)
            assert waiting(node) == 1
        finally:
            node.ssh("c11", "systemctl stop turn 2>/dev/null; systemctl stop dpkg")
        done = [play.result() for play in plays]
    assert [played.code for played in done] == [0, 0], "".join(played.output for played in done)
    assert all(played.changed["c11"] > 0 for played in done)
    began = node.ssh(
        "c11", "grep -A1 -e ^Start-Date /var/log/apt/history.log | grep -c -e redis-server -e cockpit-ws"
    )
    assert int(began) == 3, "one was removed, and two were installed by themselves"
    for role in ("redis", "admin_ui"):
        assert node.play(role, ("c11",)).changed == {"c11": 0}


def test_redis_that_could_not_start_starts_when_its_settings_are_right(node: Cluster) -> None:
    """Also when systemd has tried so often that it would not try again for a while."""
    for variables, words in (
        ({"redis_port": 65536}, "redis_port 1 to 65535"),
        ({"redis_bind": ["nowhere"]}, "redis-server.service does not start"),
    ):
        done = node.play("redis", ("c11",), **variables)
        assert done.code != 0
        assert words in " ".join(done.output.split())
    tries = "for n in 1 2 3 4 5 6 7 8 9; do systemctl restart redis-server 2>/dev/null; done"
    assert "too quickly" in node.ssh("c11", f"{tries}; journalctl -q -n 50 -o cat -u redis-server")
    done = node.play("redis", ("c11",))
    assert (done.code, done.changed) == (0, {"c11": 2}), done.output
    assert node.play("redis", ("c11",)).changed == {"c11": 0}


def test_packages_that_are_not_all_there_are_refused_and_forgotten(node: Cluster, tmp_path: Path) -> None:
    """An archive without a package, as one that was made for another image may be."""
    (tmp_path / "debs").mkdir()
    for name in ("Packages", "names"):
        (tmp_path / "debs" / name).touch()
    pack(tmp_path / "debs", tmp_path / "packages.tar")

    def transfer(path: Path) -> str:
        node.ssh("c11", "base64 -d >/var/tmp/given.tar", text=base64.b64encode(path.read_bytes()).decode())
        return "/var/tmp/given.tar"

    def execute(words: str) -> dict[str, object]:
        done = node.try_ssh("c11", words)
        return {"rc": done.returncode, "stdout": done.stdout, "stderr": done.stderr}

    wanted = Wanted(("hello",), "other")
    with pytest.raises(InfrastructureError, match=r"load hello: more is needed than was loaded: .*hello_"):
        load_packages(Hands(execute, transfer), wanted, tmp_path / "packages.tar", only_look=False)
    places = "/etc/apt/sources.list.d /etc/apt/preferences.d /var/cache/e2e-ansible/packages"
    assert "other" not in node.ssh("c11", f"ls {places}")
    assert "e2e-loaded" not in node.ssh("c11", f"ls {places}")


def test_packages_that_a_node_fetched_are_there_for_the_next(node: Cluster) -> None:
    """As for providers whose image is not made here: the first node fetches."""
    (default_home() / "cache/packages").mkdir(parents=True, exist_ok=True)
    for entry in (default_home() / "cache/packages").glob(f"{DEFAULT_SUITE}-amd64-*"):
        forget(entry)
    playbook = node.folder / "load.yml"
    playbook.write_text(
        "- hosts: all\n  gather_facts: false\n  become: true\n  tasks:\n    - package_store: {names: [tree]}\n"
    )
    name = os.path.relpath(playbook.with_suffix(""), Path(__file__).parents[2] / "playbooks")
    first = node.play(name, ("c11",))
    assert (first.code, first.changed) == (0, {"c11": 1}), first.output
    assert node.play(name, ("c11",)).changed == {"c11": 0}
    node.ssh("c11", "ip route del default")
    assert "Unable to locate" in node.try_ssh("c11", "apt-get install -y no-such-package").stderr
    node.ssh("c11", "apt-get -qq install -y tree && tree --version")


# ---- Go


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A module that the proxy has."""
    module = a_module(tmp_path / "proxy")
    for name, value in module.environment.items():
        monkeypatch.setenv(name, value)
    return Source(commit=module.commit)


def built(source: Source, machine: str = "x86_64") -> Program:
    made = program(source, machine)
    assert made is not None
    return made


def refused(source: Source, machine: str = "x86_64") -> InfrastructureError:
    with pytest.raises(InfrastructureError) as caught:
        program(source, machine)
    folder = default_home() / "cache/stroppy"
    assert [path.name for path in folder.iterdir() if path.is_dir() and source.commit in path.name] == []
    return caught.value


def test_two_who_ask_at_once_wait_for_one_build(go: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    assert program(go, "x86_64", only_look=True) is None
    with ThreadPoolExecutor(2) as both:
        one, other = both.map(lambda _: built(go), range(2))
    assert one == other
    assert one.path.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("GOPROXY", "off")  # now nobody could build it
    monkeypatch.setenv("GOMODCACHE", "/nowhere")
    assert built(go) == one


def test_a_kind_of_machine_that_go_does_not_build_for(go: Source) -> None:
    assert "nodes of the kind sparc64 are not known to the build" in str(refused(go, "sparc64"))


def test_a_commit_that_the_proxy_does_not_have(go: Source) -> None:
    error = refused(Source(commit="0123456789ab"))
    assert "Go cannot get github.com/stroppy-io/stroppy@0123456789ab" in str(error)
    assert "GOPROXY" in error.hint


@pytest.mark.parametrize(
    ("proxy", "why"),
    [
        ("http://127.0.0.1:1", "connection refused"),
        ("off", "module lookup disabled by GOPROXY=off"),
        ("file:///nowhere", "no such file or directory"),
    ],
)
def test_no_way_to_a_proxy_of_modules(
    go: Source, monkeypatch: pytest.MonkeyPatch, proxy: str, why: str
) -> None:
    monkeypatch.setenv("GOPROXY", proxy)
    error = refused(go)
    assert isinstance(error, golang.ModuleUnavailable)
    assert str(error).startswith(f"Go cannot get {MODULE}@{go.commit}: ")
    assert str(error).endswith(why)


def test_a_proxy_of_the_network_that_lets_nobody_out(go: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(403) as address:
        monkeypatch.setenv("GOPROXY", "https://mirror.example")
        monkeypatch.setenv("https_proxy", address)
        error = refused(go)
    assert isinstance(error, golang.ModuleUnavailable)
    assert str(error).endswith(": Forbidden")


@pytest.mark.parametrize(
    "said",
    [
        {"GONOSUMDB": MODULE},
        {"GOPRIVATE": f"example.com,{MODULE}", "GONOPROXY": "none"},
        {"GOENV": "go.env"},
    ],
)
def test_a_mirror_of_modules_in_a_closed_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, str]
) -> None:
    """Go asks it for the module, and nobody else for its sum, when it is told so in one of its own ways."""
    module = a_module(tmp_path / "mirror")
    for name in ("GOPROXY", "GONOSUMDB"):
        monkeypatch.delenv(name, raising=False)
    for name in ("GOMODCACHE", "GOFLAGS", "GOTOOLCHAIN"):
        monkeypatch.setenv(name, module.environment[name])
    with serving(tmp_path / "mirror") as address:
        (tmp_path / "go.env").write_text(f"GOPROXY={address}\nGOSUMDB=off\n")
        given = {"GOENV": str(tmp_path / "go.env")} if "GOENV" in said else {"GOPROXY": address, **said}
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        assert built(Source(commit=module.commit)).path.name == "stroppy"


def test_a_proxy_that_refuses_is_named_without_its_password(
    go: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(commit="0123456789ab")
    with answering(403) as address:
        monkeypatch.setenv("GOPROXY", address)
        assert str(refused(source)).endswith("/@v/0123456789ab.info: 403 Forbidden")
        monkeypatch.setenv("GOPROXY", address.replace("//", "//me:hunter2@"))
        error = refused(source)
    assert "//***@127.0.0.1" in str(error)
    assert "hunter2" not in f"{error}{error.hint}"


def test_what_does_not_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = a_module(tmp_path / "proxy", main="package main\n\nfunc main() { nonsense() }\n")
    for name, value in module.environment.items():
        monkeypatch.setenv(name, value)
    assert "undefined: nonsense" in str(refused(Source(commit=module.commit)))


def test_a_machine_without_go(go: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(golang, "_USUAL", str(tmp_path))
    error = refused(go)
    assert "there is no program `go`" in str(error)
    assert "golang-go" in error.hint


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A server on this machine that gives everybody the same answer."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

        do_CONNECT = do_GET  # noqa: N815 - a name of http.server

        def log_message(self, *_: object) -> None:
            pass

    with running(Answer) as address:
        yield address


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A server on this machine with the files of a folder."""

    class Files(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_: object) -> None:
            pass

    with running(Files) as address:
        yield address


@contextmanager
def running(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
