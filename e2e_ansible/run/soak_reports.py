"""The analysis of a soak as files in its run folder: for programs, for tables, for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from e2e_ansible import __version__
from e2e_ansible.analysis.digits import settled
from e2e_ansible.analysis.soak_analysis import analyze_soak
from e2e_ansible.analysis.soak_csv import soak_csv
from e2e_ansible.analysis.soak_result import SoakAnalysis
from e2e_ansible.report.soak_page import soak_page
from e2e_ansible.run.analysis import Agreement, Compared, compared
from e2e_ansible.run.folder import RunFolder, write_private
from e2e_ansible.run.measured import suite_name
from e2e_ansible.run.soak_numbers import read_soak

__all__ = ["ANALYSIS", "PAGE", "TABLE", "AnalyzedSoak", "analyze_soak_run", "write_soak_reports"]

ANALYSIS = "analysis.json"
TABLE = "analysis.csv"
PAGE = "analysis.html"


@dataclass(frozen=True)
class AnalyzedSoak:
    """A soak with its reports. `stale`: those in the folder are of an earlier state of the soak, or there are none."""

    found: SoakAnalysis
    texts: Mapping[str, str]
    files: tuple[Compared, ...]
    stale: bool

    @property
    def equal(self) -> bool:
        """Whether every report is there and is byte-equal."""
        return all(one.agreement is Agreement.EQUAL for one in self.files)

    @property
    def fine(self) -> bool:
        """Whether no report says anything else than the records do: what was missing or old is written now."""
        return self.stale or all(one.agreement is not Agreement.DIFFERS for one in self.files)


def analyze_soak_run(run: RunFolder, *, write: bool = False) -> AnalyzedSoak:
    """Compute the reports of a soak anew and compare; missing and stale ones are written, with `write` all.

    Raises:
        UsageError: it is no soak.
        HarnessError: a file cannot be read.
        OSError: a report could not be written.
    """
    found, texts = _computed(run)
    stale = _is_stale(run, found)
    files = tuple(compared(run, name, text) for name, text in texts.items())
    for one in files:
        if one.agreement is not Agreement.EQUAL and (write or stale or one.agreement is Agreement.MISSING):
            write_private(run.path / one.file, texts[one.file])
    return AnalyzedSoak(found, texts, files, stale)


def write_soak_reports(run: RunFolder) -> SoakAnalysis:
    """All reports of a soak into its folder, whatever was there.

    Raises:
        UsageError: it is no soak.
        HarnessError: a file cannot be read.
        OSError: a report could not be written.
    """
    return analyze_soak_run(run, write=True).found


def _computed(run: RunFolder) -> tuple[SoakAnalysis, Mapping[str, str]]:
    numbers = read_soak(run)
    suite = suite_name(run.manifest().suite)
    found = settled(analyze_soak(run.run_id, suite, numbers.series, numbers.source))
    texts = {
        ANALYSIS: found.model_dump_json(indent=1) + "\n",
        TABLE: soak_csv(found),
        PAGE: soak_page(found, numbers.series, version=__version__),
    }
    return found, texts


def _is_stale(run: RunFolder, found: SoakAnalysis) -> bool:
    """Whether the analysis in the folder is of other records: then nothing is wrong with it, it is only old."""
    try:
        old = SoakAnalysis.model_validate_json((run.path / ANALYSIS).read_bytes())
    except FileNotFoundError:
        return True
    except (OSError, ValidationError):
        return False
    return old.source != found.source
