"""The bytes of a suite file to values with positions; whatever is wrong with them becomes a problem."""

from __future__ import annotations

import codecs
import os
import re
import stat
from pathlib import Path

from e2e_ansible.names import nearest
from e2e_ansible.suite.builder import Abandoned, mark_of
from e2e_ansible.suite.findings import START, Findings
from e2e_ansible.suite.jsontext import read_json
from e2e_ansible.suite.value import Mark, Value
from e2e_ansible.suite.yamltext import read_yaml

__all__ = ["LARGEST", "SUFFIXES", "read_bytes", "read_document"]

LARGEST = 8 * 1024 * 1024
SUFFIXES = (".yml", ".yaml", ".json")
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_bytes(path: Path, findings: Findings) -> bytes | None:
    """The content of a file; None when it is missing, no file, unreadable, or larger than `LARGEST` bytes."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            findings.add(START, "this is a folder, not a suite file")
        elif not stat.S_ISREG(found.st_mode):
            # Opening a named pipe would wait for ever.
            findings.add(START, "this is not a regular file")
        elif found.st_size > LARGEST:
            findings.add(START, f"the file is larger than {LARGEST // 1024 // 1024} MiB")
        else:
            return path.read_bytes()
    except FileNotFoundError:
        findings.add(START, "there is no such file", _nearest(path))
    except OSError as error:
        findings.add(START, f"the file cannot be read: {os.strerror(error.errno or 0).lower()}")
    except ValueError:
        findings.add(START, "there is no such file", "its name contains NUL")
    return None


def _nearest(path: Path) -> str:
    """The suite beside a missing file that was most likely meant."""
    try:
        beside = [file.name for file in path.parent.iterdir() if file.suffix in SUFFIXES]
    except OSError:
        return ""
    near = nearest(path.name, beside)
    return f"did you mean {str(path.with_name(near))!r}?" if near else ""


def read_document(content: bytes, suffix: str, findings: Findings) -> Value | None:
    """The top value of a document; `suffix` says which format it has. None when there is none."""
    if suffix not in SUFFIXES:
        findings.add(
            START, "the format is not known from the file's name", f"suites end in {', '.join(SUFFIXES)}"
        )
        return None
    text = _decode(content, findings)
    if text is None:
        return None
    if not text.strip():
        findings.add(START, "the file is empty")
        return None
    before = len(findings)
    try:
        root = read_json(text, findings) if suffix == ".json" else read_yaml(text, findings)
    except Abandoned:
        return None
    if root is None and len(findings) == before:
        findings.add(START, "the file is empty")
    return root


def _decode(content: bytes, findings: Findings) -> str | None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        mark = Mark(before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        hint = "it looks like UTF-16; save it as UTF-8" if content.startswith(_UTF_16) else "save it as UTF-8"
        findings.add(mark, "the file is not UTF-8", hint)
        return None
    control = _CONTROL.search(text)
    if control is None:
        return text
    findings.add(
        mark_of(text, control.start()), f"the file contains the control character U+{ord(control[0]):04X}"
    )
    return None
