"""`reap` finds what was left by the word of the providers, and removes it only after a yes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cli_desk import REPOSITORY, Desk

from e2e_ansible.cli.durations import seconds_of
from e2e_ansible.errors import CleanUpError, E2EError, ProviderError, UsageError
from e2e_ansible.providers import registry
from e2e_ansible.providers.base import Deployed, Finding
from e2e_ansible.run.folder import RunFolder
from e2e_ansible.run.reaping import Choice

HOUR = 3600


@dataclass
class Paper:
    """A provider that has what a test says, and trouble with some of it."""

    name: str
    there: dict[str, Deployed] = field(default_factory=dict)
    troubles: dict[str, Exception] = field(default_factory=dict)
    silent: E2EError | None = None
    ready: bool = True
    removed: list[str] = field(default_factory=list)

    def deployed(self) -> Sequence[Deployed]:
        if self.silent:
            raise self.silent
        return list(self.there.values())

    def destroy(self, deployment: str) -> bool:
        if deployment in self.troubles:
            raise self.troubles[deployment]
        self.removed.append(deployment)
        return self.there.pop(deployment, None) is not None

    def doctor(self) -> Sequence[Finding]:
        return [Finding(name="credentials", ok=self.ready, detail="")]

    def has(self, name: str, *, age: float = 1, left: float = 1, **more: object) -> None:
        """One that was made `age` hours ago and expires in `left` hours; 0 where it is not told."""
        now = time.time()
        values = {
            "things": (f"{name}-n11", "disk 7"),
            "owner": "ada",
            "run": "20261121-081500-a1b2c3",
            **more,
        }
        self.there[name] = Deployed(
            deployment=name,
            created=now - age * HOUR if age else 0,
            expires=now + left * HOUR if left else 0,
            **values,  # type: ignore[arg-type]
        )


CLOUDS: dict[str, Paper] = {}


def one() -> Paper:
    return CLOUDS["one"]


def two() -> Paper:
    return CLOUDS["two"]


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Paper, Paper]]:
    """Two providers, and no other."""
    CLOUDS.update(one=Paper("one"), two=Paper("two"))
    monkeypatch.setattr(registry, "_DRIVERS", {"one": f"{__name__}:one", "two": f"{__name__}:two"})
    yield CLOUDS["one"], CLOUDS["two"]
    CLOUDS.clear()


Two = tuple[Paper, Paper]


def rows(text: str) -> list[list[str]]:
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


def test_what_has_expired_is_shown_and_stays_without_a_yes(desk: Desk, clouds: Two) -> None:
    clouds[0].has("old", age=50, left=-26)
    clouds[0].has("new")
    clouds[1].has("forgotten", age=100, left=-1, owner="", run="")
    done = desk.call("reap")
    assert (done.code, done.err) == (0, "")
    assert rows(done.out) == [
        ["provider", "deployment", "age", "why", "owner", "run", "things"],
        ["one", "old", "50h", "expired", "ada", "20261121-081500-a1b2c3", "old-n11, disk 7"],
        ["two", "forgotten", "4d", "expired", "-", "-", "forgotten-n11, disk 7"],
        ["nothing was removed; --yes removes 2 deployments"],
    ]
    assert clouds[0].removed == clouds[1].removed == []


def test_with_yes_it_is_removed_and_the_rest_stays(desk: Desk, clouds: Two) -> None:
    clouds[0].has("old", left=-1)
    clouds[0].has("new")
    clouds[1].has("other", left=-1)
    done = desk.call("reap", "--yes", "--provider", "one")
    assert (done.code, done.err) == (0, "")
    assert "removed old of one" in done.out
    assert (clouds[0].removed, clouds[1].removed) == (["old"], [])


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        ((), ["expired"]),
        (("--older-than", "24h"), ["expired", "day"]),
        (("--older-than", "90m"), ["expired", "day", "two-hours"]),
        (("--deployment", "fresh"), ["fresh"]),
        (("--deployment", "fresh", "--deployment", "ageless"), ["fresh", "ageless"]),
        (("--deployment", "fresh", "--older-than", "1s"), ["fresh"]),
    ],
)
def test_what_is_chosen(desk: Desk, clouds: Two, options: tuple[str, ...], gone: list[str]) -> None:
    clouds[0].has("expired", left=-0.001)
    clouds[0].has("day", age=24.5, left=0)
    clouds[0].has("two-hours", age=2)
    clouds[0].has("fresh", age=0.01)
    clouds[0].has("ageless", age=0, left=0)
    assert desk.call("reap", "--yes", *options).code == 0
    assert sorted(clouds[0].removed) == sorted(gone)


def test_the_moment_itself_counts() -> None:
    choice = Choice(age=10)
    assert choice.reason(Deployed(deployment="a", things=(), expires=100), 100) == "expired"
    assert choice.reason(Deployed(deployment="a", things=(), expires=101), 100) == ""
    assert choice.reason(Deployed(deployment="a", things=(), created=90), 100) == "old"
    assert choice.reason(Deployed(deployment="a", things=(), created=90.5), 100) == ""


def test_a_dry_run_removes_nothing(desk: Desk, clouds: Two) -> None:
    clouds[0].has("old", left=-1)
    done = desk.call("reap", "--dry-run")
    assert (done.code, clouds[0].removed) == (0, [])
    assert "nothing was removed; --yes removes 1 deployment\n" in done.out
    both = desk.call("reap", "--dry-run", "--yes")
    assert (both.code, clouds[0].removed) == (2, [])
    assert "choose one of them" in both.err


def test_with_nothing_to_do_it_says_whom_it_asked(desk: Desk, clouds: Two) -> None:
    clouds[0].has("new")
    assert desk.call("reap").out == "nothing to reap; asked: one, two\n"
    assert desk.call("reap", "--deployment", "none").out == "there is nothing of deployment none\n"


@pytest.fixture
def run(desk: Desk) -> RunFolder:
    """The folder of a run."""
    return RunFolder(desk.folder / desk.a_run())


def test_one_whose_run_is_alive_stays_whatever_is_said(desk: Desk, clouds: Two, run: RunFolder) -> None:
    clouds[0].has("mine", left=-1, folder=str(run.path))
    clouds[0].has("dead", left=-1)
    lock = run.lock()
    try:
        for options in ((), ("--older-than", "1s"), ("--deployment", "mine")):
            done = desk.call("reap", "--yes", *options)
            assert done.code == 0
            assert "but its run is alive: stays" in done.out
    finally:
        os.close(lock)
    assert clouds[0].removed == ["dead"]
    desk.call("reap", "--yes")
    assert clouds[0].removed == ["dead", "mine"]


def test_a_run_that_begins_in_between_is_not_hit(
    desk: Desk, clouds: Two, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    clouds[0].has("mine", left=-1, folder=str(run.path))
    locks: list[int] = []
    monkeypatch.setattr(
        "e2e_ansible.cli.reap._agreed", lambda *_, **__: bool(locks.append(run.lock()) or True)
    )
    done = desk.call("reap")
    os.close(locks[0])
    assert (done.code, clouds[0].removed) == (6, [])
    assert "is still running" in done.err


def test_a_run_whose_folder_is_gone_is_dead(desk: Desk, clouds: Two) -> None:
    clouds[0].has("mine", left=-1, folder=str(desk.folder / "runs/gone"))
    assert desk.call("reap", "--yes").code == 0
    assert clouds[0].removed == ["mine"]
    assert not (desk.folder / "runs/gone").exists()


def test_one_that_is_left_does_not_keep_the_others(desk: Desk, clouds: Two) -> None:
    for cloud in clouds:
        cloud.has("a", left=-1)
        cloud.has("b", left=-1)
    clouds[0].troubles = {"a": CleanUpError("disk 7 of a is left", hint="remove it by hand")}
    clouds[1].troubles = {"a": ProviderError("no route to the API")}
    done = desk.call("reap", "--yes")
    assert done.code == 6
    assert "disk 7 of a is left" in done.err
    assert "deployment a of provider two could not be removed: no route to the API" in done.err
    assert (clouds[0].removed, clouds[1].removed) == (["b"], ["b"])


def test_one_that_cannot_be_asked_does_not_keep_the_others(desk: Desk, clouds: Two) -> None:
    clouds[0].silent = ProviderError("the token has expired", hint="log in again")
    clouds[1].has("old", left=-1)
    done = desk.call("reap", "--yes")
    assert done.code == 4
    assert "provider one cannot be asked: the token has expired" in done.err
    assert "log in again" in done.err
    assert clouds[1].removed == ["old"]


def test_what_is_left_is_worse_than_what_was_not_asked(desk: Desk, clouds: Two) -> None:
    clouds[0].silent = ProviderError("no")
    clouds[1].has("old", left=-1)
    clouds[1].troubles = {"old": CleanUpError("left")}
    assert desk.call("reap", "--yes").code == 6


def test_a_provider_that_is_not_set_up_is_asked_only_if_named_or_used(desk: Desk, clouds: Two) -> None:
    clouds[0].ready = False
    clouds[0].has("old", left=-1)
    done = desk.call("reap", "--yes")
    assert (done.code, clouds[0].removed) == (0, [])
    assert done.err == "not asked, because they are not set up here: one\n"
    assert done.out == "nothing to reap; asked: two\n"
    used = Path(os.environ["E2E_ANSIBLE_HOME"]) / "clouds/one/old"
    used.mkdir(parents=True)
    (used / "deployment.json").touch()
    assert "old" in desk.call("reap").out
    used.joinpath("deployment.json").unlink()
    assert desk.call("reap", "--yes", "--provider", "one").code == 0
    assert clouds[0].removed == ["old"]


def test_hostile_tags_are_only_text(desk: Desk, clouds: Two) -> None:
    clouds[0].has("old", left=-1, owner="\x1b[2J[red]ada\n\u202e", things=("{{ 1 + 1 }}",))
    out = desk.call("reap").out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "[red]ada" in out
    assert "{{ 1 + 1 }}" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--provider", "on"), "did you mean one?"),
        (("--older-than", "24"), "did you mean 24h?"),
        (("--older-than", "7 days"), "did you mean 7d?"),
        (("--older-than", "90M"), "did you mean 90m?"),
        (("--older-than", "-1h"), "such as 90m, 24h or 7d"),
        (("--older-than", ""), "such as 90m, 24h or 7d"),
        (("--older-than", "9" * 400), "such as 90m"),
    ],
)
def test_bad_input_is_told_before_anybody_is_asked(
    desk: Desk, clouds: Two, arguments: tuple[str, ...], said: str
) -> None:
    clouds[0].silent = clouds[1].silent = ProviderError("was asked")
    done = desk.call("reap", "--yes", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "was asked" not in done.err


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("90m", 5400), ("1.5h", 5400), ("7d", 604_800), ("2w", 1_209_600)]
)
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of(text, "--x") == seconds


@pytest.mark.parametrize("text", ["h", "1y", "1h30m", "٣h", "1e3s", "1.h"])
def test_no_durations(text: str) -> None:
    with pytest.raises(UsageError, match=r"--x .* is no duration"):
        seconds_of(text, "--x")


ASKS = """
import sys, test_cli_reap as test
from e2e_ansible.cli import main
from e2e_ansible.providers import registry
registry._DRIVERS.clear()
registry._DRIVERS["one"] = "test_cli_reap:one"
test.CLOUDS["one"] = test.Paper("one")
test.one().has("old", left=-1)
sys.argv[:1] = ["e2e-ansible", "reap"]
try:
    main()
finally:
    print("REMOVED", test.one().removed)
"""


@pytest.mark.parametrize(
    ("options", "answer", "removed"), [((), "y", ["old"]), ((), "", []), (("--dry-run",), "y", [])]
)
def test_on_a_terminal_it_asks_unless_it_is_a_dry_run(
    options: tuple[str, ...], answer: str, removed: list[str]
) -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", ASKS, *options],
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parent}:{REPOSITORY}"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ):
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        shown = b"".join(iter(lambda: _read(ours), b"")).decode()
    os.close(ours)
    assert ("remove 1 deployment?" in shown) is not bool(options)
    assert f"REMOVED {removed}" in shown


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""
