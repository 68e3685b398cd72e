"""The licence of a file, from the machine-readable debian/copyright of its package."""

import fnmatch
import re
from pathlib import Path


def licence_of(copyright_file: Path, name: str) -> str:
    """The short name of the last ``Files:`` paragraph that covers ``name``, as Debian's format says.

    Returns:
        e.g. ``CC-BY-3.0``; ``see PATH`` where the package's file is missing or covers no such name.
    """
    found = f"see {copyright_file.name} of {copyright_file.parent.name}"
    if not copyright_file.exists():
        return found
    for paragraph in re.split(r"\n\s*\n", copyright_file.read_text(encoding="utf-8")):
        fields = dict(re.findall(r"^(Files|License):((?:.*)(?:\n[ \t].*)*)", paragraph, flags=re.MULTILINE))
        if {"Files", "License"} <= fields.keys():
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in fields["Files"].split()):
                found = fields["License"].strip().splitlines()[0]
    return found
