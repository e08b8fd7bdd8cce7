"""Where secrets come from: a file, or a variable that no command of a suite inherits."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path

from e2e_ansible.errors import UsageError
from e2e_ansible.names import suggestion

__all__ = ["Sources"]

_FILE, _VARIABLE = "@", "env:"


class Sources:
    """Reads `@FILE` and `env:NAME`; any other word stands for itself."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._environment = environment
        self._read: set[str] = set()

    def words(self, word: str) -> list[str]:
        """All that is meant: of a file, every line that is neither empty nor a comment.

        Raises:
            UsageError: there is no such file or variable, or nothing is in it.
        """
        if not self.is_reference(word):
            return [word]
        lines = [line.strip() for line in self._text(word).splitlines()]
        found = [line for line in lines if line and not line.startswith("#")]
        if not found:
            raise UsageError(f"{word} holds nothing")
        return found

    def secret(self, word: str, what: str) -> str:
        """The one line that `@FILE` or `env:NAME` holds; `what` it is, for messages.

        Raises:
            UsageError: it is not there, or it is the secret itself, which every process could read.
        """
        if not self.is_reference(word):
            raise UsageError(f"{what} stands in the target itself", hint=f"name it: {what}=env:NAME or @FILE")
        text = self._text(word).strip("\r\n")
        if not text or "\n" in text:
            raise UsageError(f"{word} is to hold {what} and nothing else, in one line")
        return text

    def forget(self) -> None:
        """Take what was read out of the environment."""
        for name in self._read:
            self._environment.pop(name, None)

    @staticmethod
    def is_reference(word: str) -> bool:
        """Whether this names a place, not the thing itself."""
        return word.startswith((_FILE, _VARIABLE))

    def _text(self, word: str) -> str:
        if word.startswith(_FILE):
            return _content(Path(word.removeprefix(_FILE)))
        name = word.removeprefix(_VARIABLE)
        if name not in self._environment:
            known = [each for each in self._environment if each.startswith(name[:3])]
            raise UsageError(f"the variable {name!r} is not set", hint=suggestion(name, known))
        self._read.add(name)
        return self._environment[name]


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UsageError(f"{path} cannot be read: {reason}") from error
