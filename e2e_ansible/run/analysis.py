"""Analysis: a run judged again, and each report held against the one that is in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from enum import StrEnum
from itertools import islice, takewhile

from e2e_ansible.errors import HarnessError
from e2e_ansible.judge.result import RunResult
from e2e_ansible.run.folder import RunFolder, write_private
from e2e_ansible.run.reading import read_run
from e2e_ansible.run.reports import reports

__all__ = ["Agreement", "Analysis", "Compared", "analyze", "compared"]

_COMPARED_LINES = 400
_DIFF_LINES = 12
_DIFF_WIDTH = 200


class Agreement(StrEnum):
    """How a report in the folder compares with what it should be."""

    EQUAL = "byte-equal"
    DIFFERS = "differs"
    MISSING = "missing"


@dataclass(frozen=True)
class Compared:
    """One report, by its path in the run folder; `difference` shows the first lines that are not the same."""

    file: str
    agreement: Agreement
    difference: str = ""


@dataclass(frozen=True)
class Analysis:
    """A run judged again: its result, how each report compares, and in `texts` what each should be."""

    result: RunResult
    files: tuple[Compared, ...]
    texts: Mapping[str, str]

    @property
    def equal(self) -> bool:
        """Whether every report is there and is byte-equal."""
        return all(one.agreement is Agreement.EQUAL for one in self.files)


def analyze(run: RunFolder, *, write: bool = False) -> Analysis:
    """Judge a run again from its folder and compare; with `write`, replace the reports that are not the same.

    Needs no network and no node, and gives the same for a copy of the folder.

    Raises:
        HarnessError: a file cannot be read.
        OSError: a report could not be written.
    """
    result = read_run(run)
    texts = reports(run, result)
    files = tuple(compared(run, name, text) for name, text in texts.items())
    if write:
        for one in files:
            if one.agreement is not Agreement.EQUAL:
                write_private(run.path / one.file, texts[one.file])
    return Analysis(result, files, texts)


def compared(run: RunFolder, name: str, text: str) -> Compared:
    """One report against what it should be.

    Raises:
        HarnessError: it cannot be read.
    """
    path = run.path / name
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return Compared(name, Agreement.MISSING)
    except OSError as error:
        raise HarnessError(f"{path} cannot be read: {error.strerror}") from error
    wanted = text.encode("utf-8", errors="surrogatepass")
    if found == wanted:
        return Compared(name, Agreement.EQUAL)
    return Compared(name, Agreement.DIFFERS, _difference(found.decode("utf-8", errors="replace"), text))


def _difference(found: str, wanted: str) -> str:
    """The first lines that differ; `-` is what is in the folder."""
    old, new = found.splitlines(), wanted.splitlines()
    first = next(
        (number for number, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), None
    )
    if first is None:
        return f"{len(old)} lines are there, {len(new)} were expected"
    window = slice(max(0, first - 1), first + _COMPARED_LINES)
    lines = list(unified_diff(old[window], new[window], n=1, lineterm=""))[3:]
    hunk = takewhile(lambda line: not line.startswith("@@"), lines)
    return "\n".join([f"line {first + 1}:", *(line[:_DIFF_WIDTH] for line in islice(hunk, _DIFF_LINES))])
