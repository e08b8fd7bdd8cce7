"""The pages of analyses: sound, safe against what runs put into them, never too large, and right in their places."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from e2e_ansible.analysis.column import Column
from e2e_ansible.analysis.rule import Method, Rule
from e2e_ansible.analysis.series import Direction, Series, SeriesSet
from e2e_ansible.analysis.sheet import sheet, verdict_rows
from e2e_ansible.analysis.soak_analysis import analyze_soak, to_compare
from e2e_ansible.analysis.soak_result import Source
from e2e_ansible.analysis.soak_series import SoakSeries, gather
from e2e_ansible.report.amounts import bounds, percent, points, seconds, signed_percent
from e2e_ansible.report.cycles import CycleAxis
from e2e_ansible.report.sheet_page import sheet_page
from e2e_ansible.report.soak_chart import SoakChart, soak_chart
from e2e_ansible.report.soak_page import soak_page
from e2e_ansible.report.strips import spread
from e2e_ansible.verdict import Cause, Verdict
from tests.unit.soak_folders import PHASES, SimulatedSoak, Trouble, alert, injection

HOSTILE = "</td><script>alert(1)</script>\"'& \x00\x1b[31m{{ 7*7 }} {% raw %}"
SOURCE = Source(file="metrics/metrics.jsonl", bytes=1, sha256="0" * 64, records=1)
VOID = {"meta", "br"}


class Page(HTMLParser):
    """Tags in balance; what was seen of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def series(**settings: object) -> SoakSeries:
    return gather(SimulatedSoak(**settings).records("run"))  # type: ignore[arg-type]


def page(found: SoakSeries, suite: str = "switchover.yaml") -> str:
    return soak_page(analyze_soak("run", suite, found, SOURCE), found, version="1")


def drawn(**settings: object) -> SoakChart:
    found = soak_chart(series(**settings))
    assert found is not None
    return found


FULL = {
    "cycles": 40,
    "growing": {"activation": 0.6},
    "troubles": {
        5: Trouble(),
        7: Trouble(cause=Cause.INFRASTRUCTURE),
        9: Trouble(verdict=Verdict.UNKNOWN, cause=None),
    },
    "injected": {
        2: injection("pause_backup", "activation"),
        3: injection("pause_backup", "activation", success=False),
        4: injection("delay_restore", "preflight", undone=False),
    },
    "alerts": {3: alert("LAG", "activation"), 30: alert("DISK", "preflight", ended=False)},
    "lost": {11: 2},
}


def test_a_page_is_sound_and_needs_no_network_and_no_script() -> None:
    found = Page(page(series(**FULL)))
    names = {tag for tag, _ in found.tags}
    assert not names & {"script", "link", "img", "iframe", "object"}
    links = [attributes["href"] for tag, attributes in found.tags if tag == "a"]
    assert links == ["./cycles/0005/", "./cycles/0007/", "./cycles/0009/", "./report.html"]
    for heading in (
        "Over the cycles",
        "How long",
        "Did it get slower?",
        "Cycles that did not pass",
        "Alerts",
        "Steps",
    ):
        assert heading in found.words
    assert "slower" in found.words and "2 acknowledged rows lost" in found.words


def test_every_drawing_says_in_words_what_it_shows() -> None:
    found = Page(page(series(**FULL)))
    tracks = [one for tag, one in found.tags if tag == "svg" and one.get("role") == "img"]
    assert len(tracks) == 1 + 1 + 2 + 2 + 2 + 1 + len(PHASES)
    assert all(one.get("aria-label") for one in tracks)


@pytest.mark.parametrize("cycles", [0, 1, 2])
def test_a_page_of_nearly_nothing_is_sound(cycles: int) -> None:
    found = Page(page(series(cycles=cycles)))
    assert f"{cycles} passed, 0 failed, 0 unknown, of {cycles}" in found.words
    assert ("Over the cycles" in found.words) is bool(cycles)


def test_what_runs_say_stays_text() -> None:
    trouble = Trouble(phase=HOSTILE, error=HOSTILE)
    found = series(
        cycles=3,
        phases={HOSTILE: 1.0},
        troubles={2: trouble},
        injected={1: injection(HOSTILE, HOSTILE)},
        alerts={1: alert(HOSTILE, HOSTILE, context=HOSTILE)},
    )
    text = page(found, HOSTILE)
    assert "<script" not in text and "\x1b" not in text and "\x00" not in text
    assert "{{ 7*7 }}" in text
    Page(text)
    numbers = to_compare(HOSTILE, found)
    text = sheet_page(sheet(numbers, [numbers], Rule(), suite=HOSTILE))
    assert "<script" not in text
    Page(text)


def test_a_page_does_not_grow_with_the_cycles() -> None:
    axis = CycleAxis(100_000)
    assert len(list(axis.bins)) <= 240
    chart = drawn(
        cycles=1000, phases={"only": 1.0}, injected={n: injection("x", "only") for n in range(1, 1000)}
    )
    assert chart.stack.bands[0].path.count("Z") == 200
    assert len(chart.injections[0].bars) == 200
    assert len(chart.ended.bars) == 1, "bins that are alike are one bar"


def test_bins_hold_every_cycle_once() -> None:
    for last in (1, 7, 240, 241, 1000):
        axis = CycleAxis(last)
        bins = list(axis.bins)
        assert [n for one in bins for n in range(one.first, one.last + 1)] == [*range(1, last + 1)]
        assert all(axis.bin_of(n) == place for place, one in enumerate(bins) for n in (one.first, one.last))
        assert bins[0].place.left == 0 and bins[-1].place.right == pytest.approx(100, abs=0.02)
        assert 1 <= len(axis.ticks) <= 9


def test_the_worst_cycle_of_a_bin_is_seen() -> None:
    chart = drawn(cycles=480, phases={"only": 1.0}, troubles={101: Trouble("only")})
    kinds = [one.kind for one in chart.ended.bars]
    assert kinds == ["pass", "fail", "pass"]
    assert chart.ended.bars[1].words == "cycles 101 to 102: 1 passed, 1 failed"
    assert chart.ended.words == "479 of 480 passed"


def test_every_way_to_end_has_its_own_bar() -> None:
    chart = drawn(**FULL)
    assert [one.kind for one in chart.ended.bars] == [
        "pass",
        "fail",
        "pass",
        "interrupted",
        "pass",
        "unknown",
        "pass",
    ]
    assert chart.ended.bars[1].place.left == 10


def test_bands_stand_on_one_another() -> None:
    chart = drawn(cycles=1, phases={"a": 1.0, "b": 3.0})
    low, high = (one.path for one in chart.stack.bands)
    assert low.startswith("M0 100V")
    top = low.split("V")[1].split("H")[0]
    assert high.startswith(f"M0 {top}V"), "the second begins where the first ends"


def test_one_cycle_that_took_very_long_is_cut_off_and_marked() -> None:
    found = series(cycles=40)
    found.cycles.values[20] = 900.0
    chart = soak_chart(found)
    assert chart is not None
    assert [one.words for one in chart.stack.cut] == ["cycle 21: the slowest 900s"]
    assert "goes on above" in page(found)


def test_alerts_and_injections_have_a_lane_each() -> None:
    chart = drawn(**FULL)
    disk, lag = chart.alerts
    assert (disk.name, disk.note, disk.words) == ("DISK", "site_b", "1 alert")
    assert "never ended" in disk.bars[0].words and disk.bars[0].place.right == 100
    assert "cycle 3, until cycle 3, phase activation" in lag.bars[0].words
    delayed, paused = chart.injections
    assert [one.kind for one in delayed.bars] == ["fail"], "it was not undone"
    assert [one.kind for one in paused.bars] == ["fault", "doubt"]
    assert paused.words == "1 of 2 took"
    many = drawn(cycles=500, phases={"only": 1.0}, alerts={n: alert("LAG", "only") for n in (1, 2, 3)})
    assert "2 alerts from cycle 1 on" in many.alerts[0].bars[0].words or len(many.alerts[0].bars) == 1


def test_outages_of_nothing_are_not_drawn() -> None:
    assert drawn(cycles=3, outage=0.0).outages == ()
    assert [one.kind for one in drawn(cycles=3).outages] == ["writes", "reads"]


def test_a_strip_has_its_percentiles_in_order() -> None:
    column = Column()
    for number in range(100):
        column.add(number, float(number), True)
    column.add(100, 1e6, True)
    strip = spread("phase", column)
    assert strip is not None
    assert [one.name for one in strip.markers] == ["P50", "P90", "P95", "P99"]
    lefts = [one.left for one in strip.markers]
    assert lefts == sorted(lefts) and lefts[0] > 0 and lefts[-1] < 100
    assert strip.beyond == 1
    assert spread("phase", Column()) is None


@pytest.mark.parametrize("values", [[0.0], [3.0], [2.0] * 10])
def test_a_strip_of_equal_values_has_room(values: list[float]) -> None:
    column = Column()
    for number, value in enumerate(values):
        column.add(number, value, True)
    strip = spread("phase", column)
    assert strip is not None and strip.path and strip.beyond == 0


def test_amounts_are_short_and_never_said_too_high() -> None:
    assert [seconds(one) for one in (None, 0.123, 9.994, 9.996, 99.94, 312.4)] == [
        "–", "0.12s", "9.99s", "10.0s", "99.9s", "312s",
    ]  # fmt: skip
    assert [percent(one) for one in (None, 1, 0.9999, 0.5, 0.0001, 0)] == [
        "–", "100 %", "99.9 %", "50.0 %", "0.1 %", "0.0 %",
    ]  # fmt: skip
    assert (bounds(1, None), signed_percent(1.123), points(-0.021)) == ("1.00 to ?", "+12.3 %", "-2.1 points")
    assert (signed_percent(None), points(None)) == ("–", "–")


def test_the_page_of_a_comparison_shows_what_moved() -> None:
    old = [to_compare(f"b{one}", series(cycles=12, seed=one)) for one in range(8)]
    new = to_compare("new", series(cycles=12, seed=50, slower={"activation": 2.0}, troubles={3: Trouble()}))
    rows = tuple(verdict_rows({"t": "fail"}, [{"t": "pass"}], ["t"]))
    found = Page(sheet_page(sheet(new, old, Rule(), suite="s", verdicts=rows), version="1"))
    assert "new against 8 baselines" in found.words
    assert "Verdicts that are not as they were" in found.words
    labels = [one["aria-label"] for tag, one in found.tags if tag == "svg" and one.get("role") == "img"]
    assert any(label and label.startswith("phase activation: worse, +") for label in labels)


def test_the_page_of_the_ratio_rule_has_no_intervals_and_none_of_a_baseline_of_nothing() -> None:
    old = SeriesSet(
        name="old",
        series={"zero": Series(values=(0, 0)), "m": Series(values=(1,)), "gone": Series(values=(1,))},
    )
    higher = Series(values=(5,), better=Direction.HIGHER, unit="x")
    new = SeriesSet(name="new", series={"zero": Series(values=(1,)), "m": Series(values=(9,)), "new": higher})
    text = sheet_page(sheet(new, [old], Rule(method=Method.RATIO)))
    Page(text)
    assert 'class="reach"' not in text
    assert "Rule ratio" in text
    Page(sheet_page(sheet(new, [old], Rule())))
