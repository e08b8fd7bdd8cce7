"""Tables: rows that fit a terminal, whole rows in a pipe."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from e2e_ansible.report.table import print_table

HEAD = ("name", "count", "words")


def table(*rows: tuple[str, str, str], width: int = 40, terminal: bool = True) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=terminal, no_color=True, color_system=None)
    print_table(console, [HEAD, *rows], wraps=2, right=(1,))
    return stream.getvalue().splitlines()


def test_columns_are_aligned_and_words_wrapped() -> None:
    assert table(("first", "7", "one two three four five six seven eight"), ("second one", "10", "")) == [
        "name        count  words",
        "first           7  one two three four",
        "                   five six seven eight",
        "second one     10",
    ]


def test_in_a_pipe_a_row_is_a_line() -> None:
    words = "one two three four five six seven eight nine ten eleven"
    assert table(("first", "7", words), terminal=False)[1] == f"first      7  {words}"


def test_where_hardly_anything_is_left_words_have_a_line_of_their_own() -> None:
    assert table(("a_name_that_nearly_fills_it", "7", "one two three"), ("second", "8", "")) == [
        "name                         count",
        "a_name_that_nearly_fills_it      7",
        "    one two three",
        "second                           8",
    ]


def test_a_name_that_leaves_no_room_stands_above_its_numbers() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=40, force_terminal=True, no_color=True, color_system=None)
    long = "load[settings=large,builtin=select-only]: throughput"
    print_table(console, [("", "was", "is"), (long, "1234567890/s", "12345678901234567890/s")], wraps=0)
    assert stream.getvalue().splitlines() == [
        "    was           is",
        "load[settings=large,builtin=select-only]",
        ": throughput",
        "    1234567890/s  12345678901234567890/s",
    ]


def test_text_of_others_is_only_text() -> None:
    assert table(("[red]x[/red]", "\x1b[2J1", "a\nb"))[1] == "[red]x[/red]      1  a b"


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.text(max_size=8), st.text(max_size=4), st.text(max_size=60)), min_size=1, max_size=4
    )
)
def test_rows_never_exceed_the_terminal(rows: list[tuple[str, str, str]]) -> None:
    assert all(cell_len(line) <= 60 for line in table(*rows, width=60))
