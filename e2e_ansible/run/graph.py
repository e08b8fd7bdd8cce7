"""Does the items of a list by what they need: each begins the moment that all it needs is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from e2e_ansible.errors import E2EError, HarnessError, InfrastructureError

__all__ = ["do_all", "kept", "raise_all"]


def do_all(waits: Sequence[frozenset[int]], do: Callable[[int], bool], may_begin: Callable[[], bool]) -> None:
    """Do each place in a thread of its own when `do` has returned True for all places that it waits for.

    `may_begin` is asked before more are begun. Whatever was begun is collected before an error is raised.

    Raises:
        Exception: what `do` has raised; of several errors all are told.
    """
    waiting = dict(enumerate(waits))
    done: set[int] = set()
    running: dict[Future[bool], int] = {}
    errors: list[BaseException] = []
    with ThreadPoolExecutor(max(1, len(waits)), thread_name_prefix="needs") as pool:
        while True:
            ready = [place for place, its in waiting.items() if its <= done]
            for place in ready if ready and may_begin() else ():
                del waiting[place]
                running[pool.submit(do, place)] = place
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                place, error = running.pop(future), future.exception()
                if error is not None:
                    errors.append(error)
                elif future.result():
                    done.add(place)
    raise_all(errors)


@contextmanager
def kept(errors: list[BaseException]) -> Iterator[None]:
    """Do the block to its end or its error, which is kept: what has to follow still does."""
    try:
        yield
    except BaseException as error:
        errors.append(error)


def raise_all(errors: Sequence[BaseException]) -> None:
    """Raise what went wrong in several places at once; nothing if that is nothing.

    Raises:
        Exception: the only one.
        InfrastructureError: there are several, all from machines, disks and networks.
        HarnessError: there are several others.
    """
    if not errors:
        return
    if len(errors) == 1:
        raise errors[0]
    text = "\n".join(dict.fromkeys(map(_told, errors)))
    outside = all(isinstance(error, (OSError, InfrastructureError)) for error in errors)
    raise (InfrastructureError if outside else HarnessError)(text) from errors[0]


def _told(error: BaseException) -> str:
    known = isinstance(error, (OSError, E2EError))
    return str(error) if known else f"{type(error).__name__}: {error}"
