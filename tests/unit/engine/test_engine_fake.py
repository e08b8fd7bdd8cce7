"""Recordings in place of Ansible."""

from __future__ import annotations

from pathlib import Path

from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.fake import FakeEngine, Recording, load_recording
from e2e_ansible.engine.protocol import Cancel, Ended, Outcome, PlayRequest

DONE = Outcome(ended=Ended.COMPLETED, rc=0)
LATE = Outcome(ended=Ended.TIMEOUT, rc=None, message="not done after 2 s")


def request(playbook: str = "a.yml") -> PlayRequest:
    return PlayRequest(
        project=Path("plan"),
        playbook=playbook,
        inventory="hosts",
        artifacts=Path("artifacts"),
        deadline_seconds=1,
        token="run",
    )


def recording(counter: int, outcome: Outcome = DONE) -> Recording:
    return (Event(event=Kind.OK, counter=counter), Event(event=Kind.STATS, counter=counter + 1)), outcome


def played(engine: FakeEngine, playbook: str = "a.yml") -> tuple[list[int], Outcome]:
    events: list[Event] = []
    outcome = engine.run(request(playbook), events.append, Cancel())
    return [event.counter for event in events], outcome


def test_recordings_come_in_turn_and_the_last_is_repeated() -> None:
    engine = FakeEngine({"a.yml": [recording(1), recording(5, LATE)], "b.yml": [recording(9)]})
    assert [played(engine) for _ in range(3)] == [([1, 2], DONE), ([5, 6], LATE), ([5, 6], LATE)]
    assert played(engine, "b.yml") == ([9, 10], DONE)
    assert [each.playbook for each in engine.requests] == ["a.yml", "a.yml", "a.yml", "b.yml"]


def test_a_playbook_without_recording_is_an_error() -> None:
    engine = FakeEngine({"empty.yml": []})
    for playbook in ("other.yml", "empty.yml"):
        events, outcome = played(engine, playbook)
        assert (events, outcome.ended, outcome.message) == ([], Ended.ERROR, f"no recording of {playbook}")


def test_a_cancelled_run_plays_nothing() -> None:
    cancel = Cancel()
    cancel.set()
    events: list[Event] = []
    outcome = FakeEngine({"a.yml": [recording(1)]}).run(request(), events.append, cancel)
    assert (events, outcome.ended, outcome.rc) == ([], Ended.CANCELED, None)


def test_a_file_of_events_is_a_recording(tmp_path: Path) -> None:
    events, _ = recording(1)
    words = Event(event=Kind.VERBOSE, counter=3, stdout="one\u2028line")
    lines = [event.line() for event in (*events, words)]
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(lines) + "\n")
    assert load_recording(file) == ((*events, words), DONE)
    file.write_text("\n".join([*lines, LATE.model_dump_json()]) + "\n")
    assert load_recording(file) == ((*events, words), LATE)
