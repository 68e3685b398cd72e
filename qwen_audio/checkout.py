"""The checkout that holds this package: what is not Python, recipes/ and tools/, stands beside it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "recipes"


def need(path: Path) -> Path:
    """``path``, a file or folder to read.

    Raises:
        ValueError: if it is not there; where the package was installed without recipes/, how to install it with.
    """
    if not path.exists():
        why = "the package was installed without its recipes/"
        mend = f"; {why}: run tools/setup.sh in the checkout, or pip install -e ."
        raise ValueError(f"{path}: no such file or folder{'' if RECIPES.is_dir() else mend}")
    return path
