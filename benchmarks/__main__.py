"""All benchmarks, or the named ones, into `benchmarks/results.md`.

    python -m benchmarks [SECTION ...] [--quick]

A named section takes the place of what stands there, if that was measured with the same versions and cores.
Run it as root on a machine that does nothing else. Everything it talks to is on this machine: an sshd of its own on
the loopback, and local nodes.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import ansible.release
import ansible_runner  # noqa: F401  # imported before anything is timed

from benchmarks import compile as compiling
from benchmarks.analysis import analysis
from benchmarks.endings import endings
from benchmarks.failover import failover
from benchmarks.hosts import hosts, ssh_hosts
from benchmarks.setup import setup
from benchmarks.soak import soak
from benchmarks.steps import boot, steps
from benchmarks.whole import looks, quickstart

RESULTS = Path(__file__).with_name("results.md")


@dataclass(frozen=True)
class Section:
    """One question and how it is answered; `measure` gets a folder, and whether to be quick about it."""

    title: str
    measure: Callable[[Path, bool], str]


SECTIONS: Mapping[str, Section] = {
    "steps": Section(
        "Milliseconds per step, by kind of task: median (least-most)",
        lambda folder, quick: steps(folder, 3 if quick else 20),
    ),
    "boot": Section(
        "A warm engine for one step only, milliseconds",
        lambda folder, quick: boot(folder, 3 if quick else 10),
    ),
    "looks": Section("Looking at three nodes", lambda folder, quick: looks(folder, 3 if quick else 15)),
    "soak": Section("Many steps", lambda folder, quick: soak(folder, 50 if quick else 1000)),
    "hosts": Section(
        "One plain command on many hosts",
        lambda folder, quick: hosts(folder, (1, 20) if quick else (1, 20, 200, 500), 2 if quick else 3),
    ),
    "ssh-hosts": Section(
        "One plain command on many ssh hosts",
        lambda folder, quick: ssh_hosts(folder, (1, 20) if quick else (1, 20, 99, 200), 2 if quick else 3),
    ),
    "endings": Section(
        "The end of a step that is told to end", lambda folder, quick: endings(folder, 1 if quick else 5)
    ),
    "quickstart": Section(
        "The quickstart suite", lambda folder, quick: quickstart(folder, 1 if quick else 3)
    ),
    "setup": Section(
        "Set-up of three nodes with four services", lambda folder, quick: setup(folder, 1 if quick else 5)
    ),
    "failover": Section(
        "Failovers of Patroni on local nodes", lambda folder, quick: failover(folder, 1 if quick else 10)
    ),
    "analysis": Section(
        "Analyzing simulated soaks",
        lambda folder, quick: analysis(folder, (100,) if quick else (100, 1000, 10_000)),
    ),
    "compile": Section(
        "Loading and compiling", lambda folder, quick: compiling.report(100 if quick else 1000)
    ),
}


def main() -> None:
    """Measure, and write what was found section by section."""
    parser = argparse.ArgumentParser(description="Benchmarks of e2e-ansible.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that everything works")
    options = parser.parse_args()
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    parts: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as place:
        for name in options.sections or SECTIONS:
            print(f"measuring {name}", flush=True)
            found = SECTIONS[name].measure(Path(place) / name, options.quick).strip()
            parts[name] = f"## {SECTIONS[name].title}\n\n{found}\n"
            print(f"\n{parts[name]}", flush=True)
    if not options.quick:
        _write(parts)


def _write(parts: Mapping[str, str]) -> None:
    """Into the results, in the order of the sections; those that were not measured now stay as they are."""
    head = _head()
    standing = RESULTS.read_text() if RESULTS.exists() else head
    if parts.keys() != SECTIONS.keys() and not standing.startswith(head):
        print(f"not written: {RESULTS.name} was measured with other versions or cores")
        return
    titled = {part.partition("\n")[0]: f"## {part.strip()}\n" for part in standing.split("\n## ")[1:]}
    found = {name: titled[section.title] for name, section in SECTIONS.items() if section.title in titled}
    found.update(parts)
    RESULTS.write_text("\n".join([head, *(found[name] for name in SECTIONS if name in found)]))
    print(f"written to {RESULTS}")


def _head() -> str:
    versions = f"Python {platform.python_version()}, ansible-core {ansible.release.__version__}"
    return (
        "# Benchmarks\n\nWritten by `make bench`. All cases of a table are taken in turn in one run. "
        f"Trust the ratios; the times hold for one machine at one time: {os.cpu_count()} cores, {versions}.\n"
    )


if __name__ == "__main__":
    main()
