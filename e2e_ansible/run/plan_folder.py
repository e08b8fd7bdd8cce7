"""Writes a plan as a folder that a person can read and run by hand, and reads it back, checked to the last byte."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from e2e_ansible.compile.compiler import NOTHING_REGISTERED, REGISTERED_FILE
from e2e_ansible.compile.plan import Plan
from e2e_ansible.content import content_digest, content_files, content_root
from e2e_ansible.errors import UsageError
from e2e_ansible.run.unreadable import unreadable

__all__ = ["check_content", "is_plan_folder", "read_plan", "read_whole_plan", "write_plan"]

_PLAN = "plan.json"
_SUMS = "SHA256SUMS"
_CONTENT = "content"
_PLAYED = ("playbooks", "inventory", _CONTENT)  # where Ansible takes up whatever lies there
_COMPILED = "__pycache__"
_MOST = 12


def write_plan(plan: Plan, folder: Path) -> None:
    """The playbooks, the inventory, plan.json, below `content` the roles and plugins they use, and SHA256SUMS.

    Raises:
        OSError: something could not be written.
    """
    texts = {**plan.files, _PLAN: plan.to_json()}
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_bytes(text))
    root = content_root()
    sums = {name: _sum(_bytes(text)) for name, text in texts.items()}
    for file in content_files():
        target = folder / _CONTENT / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / file, target)
        sums[f"{_CONTENT}/{file.as_posix()}"] = _sum(target.read_bytes())
    lines = [f"# plan {plan.hash}", *(f"{sums[name]}  {name}" for name in sorted(sums))]
    (folder / _SUMS).write_bytes(_bytes("\n".join(lines) + "\n"))


def is_plan_folder(folder: Path) -> bool:
    """Whether a plan was written there."""
    return (folder / _PLAN).is_file()


def read_plan(folder: Path) -> Plan:
    """The plan in a folder, without the text of its playbooks.

    Raises:
        HarnessError: there is none, or it cannot be read.
    """
    try:
        return Plan.model_validate_json((folder / _PLAN).read_bytes())
    except (OSError, ValidationError) as error:
        raise unreadable(folder / _PLAN, error) from error


def read_whole_plan(folder: Path, *, of_a_run: bool = False) -> Plan:
    """The plan in a folder with all its files, each as it was compiled. In that of a run, outputs may be registered.

    Raises:
        UsageError: a file is changed, missing or added; all of them are named. Or there is no plan.
        HarnessError: plan.json cannot be read.
    """
    said, sums = _sums(folder)
    found = {name: _read(folder / name) for name in sums}
    if of_a_run:
        found[REGISTERED_FILE] = _bytes(NOTHING_REGISTERED)
    wrong = [
        f"{name} is {'missing' if data is None else 'changed'}"
        for name, data in found.items()
        if data is None or _sum(data) != sums[name]
    ]
    wrong += [f"{name} is not of the plan" for name in _others(folder, sums)]
    if wrong:
        raise _refused(f"{folder} is not as it was compiled", wrong)
    files = {
        name: data.decode("utf-8", errors="surrogatepass")
        for name, data in found.items()
        if data is not None and name != _PLAN and not name.startswith(f"{_CONTENT}/")
    }
    plan = read_plan(folder).model_copy(update={"files": files})
    if plan.hash != said:
        raise _refused(
            f"{folder} is not as it was compiled", [f"its hash is {plan.hash}, {_SUMS} says {said}"]
        )
    return plan


def check_content(plan: Plan, folder: Path) -> None:
    """See that the roles and plugins of a plan are those of this e2e-ansible, which would run it.

    Raises:
        UsageError: they are others; all of them are named.
    """
    if not plan.content_digest or plan.content_digest == content_digest():
        return
    _, sums = _sums(folder)
    theirs = {
        name.removeprefix(f"{_CONTENT}/"): each for name, each in sums.items() if name.startswith(_CONTENT)
    }
    root = content_root()
    ours = {file.as_posix(): _sum((root / file).read_bytes()) for file in content_files()}
    wrong = [
        f"{name} is another one" for name in sorted(theirs) if name in ours and theirs[name] != ours[name]
    ]
    wrong += [f"{name} is in the plan only" for name in sorted(theirs.keys() - ours.keys())]
    wrong += [f"{name} is not in the plan" for name in sorted(ours.keys() - theirs.keys())]
    raise _refused(
        f"{folder} was compiled with other roles and plugins", wrong or ["a file may be executed, or not"]
    )


def _refused(text: str, wrong: list[str]) -> UsageError:
    more = [f"and {len(wrong) - _MOST} more"] if len(wrong) > _MOST else []
    lines = "\n".join(f"  {line}" for line in [*wrong[:_MOST], *more])
    return UsageError(f"{text}:\n{lines}", hint="compile it again: e2e-ansible plan SUITE -o DIR")


def _sums(folder: Path) -> tuple[str, Mapping[str, str]]:
    """The hash of the plan, and the sum of each file, as written down."""
    data = _read(folder / _SUMS)
    if data is None:
        text = f"{folder} has no {_SUMS}, so it cannot be shown to be a whole plan"
        raise UsageError(text, hint="compile it again: e2e-ansible plan SUITE -o DIR")
    first, *lines = data.decode("utf-8", errors="surrogateescape").splitlines()
    pairs = [line.split("  ", 1) for line in lines]
    sums = {pair[1]: pair[0] for pair in pairs if len(pair) == 2 and not _leads_out(pair[1])}
    return first.removeprefix("# plan "), {**{_PLAN: ""}, **sums}


def _leads_out(name: str) -> bool:
    return Path(name).is_absolute() or ".." in Path(name).parts


def _others(folder: Path, known: Mapping[str, str]) -> Iterator[str]:
    for place in _PLAYED:
        for path in sorted((folder / place).rglob("*")):
            name = path.relative_to(folder).as_posix()
            if not path.is_dir() and name not in known and _COMPILED not in path.parts:
                yield name


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogatepass")
