"""Unpack FOLDER.tar.gz into FOLDER, or leave a note in it: `unpack.py FOLDER NOTE`, text on standard input.

The archive comes from a node under test and is not trusted: only plain files, only below the folder,
a bounded sum.
"""

import os
import pathlib
import shutil
import sys
import tarfile

LIMIT = 500 * 1024 * 1024
NOTES = ("UNREACHABLE.txt", "INCOMPLETE.txt")


def unpack(archive, folder):
    """Write every plain file of the archive below the folder."""
    left = LIMIT
    with tarfile.open(archive) as packed:
        for member in packed:
            path = pathlib.PurePosixPath(member.name)
            if not member.isfile() or path.is_absolute() or ".." in path.parts:
                continue
            left -= member.size
            if left < 0:
                sys.exit(f"{archive} holds more than {LIMIT} bytes")
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                shutil.copyfileobj(packed.extractfile(member), file)


def main():
    """Unpack or leave the note."""
    os.umask(0o077)
    folder = pathlib.Path(sys.argv[1])
    archive = folder.with_name(folder.name + ".tar.gz")
    folder.mkdir(parents=True, exist_ok=True)
    for note in NOTES:
        (folder / note).unlink(missing_ok=True)
    if sys.argv[2]:
        (folder / sys.argv[2]).write_text(sys.stdin.read() + "\n")
        archive.unlink(missing_ok=True)
    else:
        unpack(archive, folder)
        archive.unlink()


main()
