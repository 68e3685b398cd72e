"""What the readers of published corpora, egs/NAME/local/NAME.py, share: they say what is not as published.

recipes/corpus_data.sh puts this folder on the Python path. A reader ends in

    if __name__ == "__main__":
        run_reader(main, __doc__)
"""

import argparse
import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

NAMED = 12  # entries of a folder that an error names


def run_reader(main: Callable[[argparse.Namespace], None], doc: str) -> None:
    """Call ``main`` with what is parsed here; a ValueError or OSError ends in one line."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with the corpus as published")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--downloads", type=Path, default=Path("downloads"), help="what is decoded first")
    parser.add_argument("--test_only", action="store_true", help="read the test sets alone")
    try:
        main(parser.parse_args())
    except (ValueError, OSError) as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")


def enter(corpus: Path, name: str) -> Path:
    """``corpus``, or the folder ``name`` in it: archives unpack into a folder of their own."""
    return corpus / name if (corpus / name).is_dir() else corpus


def need(folder: Path, *names: str) -> None:
    """See that files and folders are there; names may be paths within ``folder``.

    Raises:
        ValueError: naming those that are missing, and what the folder has instead.
    """
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise ValueError(f"{folder}: needs {', '.join(missing)}; found {names_in(folder)}")


def sets_there(corpus: Path, places: Mapping[str, str], test_only: bool) -> list[str]:
    """The sets to read: all, or the test sets alone where there is no ``train`` or only they are wanted.

    Some corpora give dev and test in one archive, so ``valid`` may be there without ``train``: it is left.

    Args:
        places: set -> a file or folder within ``corpus`` that shows it is there; every set but ``train`` and
            ``valid`` is a test set.
        test_only: only they are wanted.

    Raises:
        ValueError: naming what is missing and what is there.
    """
    if not test_only and (corpus / places["train"]).exists():
        need(corpus, *places.values())
        return list(places)
    tests = {name: place for name, place in places.items() if name not in ("train", "valid")}
    if not test_only and not any((corpus / place).exists() for place in tests.values()):
        need(corpus, *places.values())
    need(corpus, *tests.values())
    if not test_only:
        tell_test_alone(corpus, [places["train"]])
    return list(tests)


def tell_test_alone(corpus: Path, absent: Iterable[str]) -> None:
    """Say that nothing is there to train on, and what can be done."""
    print(
        f"{corpus}: test data alone, there is no {', '.join(absent)}: decode and score with a model that is"
        " there, ./run.sh --eval_model DIR"
    )


def names_in(folder: Path) -> str:
    """The entries of a folder in one line, for an error."""
    if not folder.is_dir():
        return "no such folder"
    names = sorted(path.name for path in folder.iterdir())
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (", ".join(names[:NAMED]) or "nothing") + more


def read_columns(
    path: Path, columns: Iterable[str], encoding: str = "utf-8-sig", **options
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) of a table whose first line names its columns.

    Args:
        columns: those that must be there; others are left in the rows.
        options: of csv.reader, such as delimiter.

    Raises:
        ValueError: naming the columns, or the line with more or fewer fields than they, with other bytes, or behind
            which it is no table.
    """
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.DictReader(file, **options)
        try:
            found = reader.fieldnames or []
            if not set(columns) <= set(found):
                raise ValueError(f"{path}:1: columns {', '.join(found)}; expected {', '.join(columns)}")
            for row in reader:
                if None in row or None in row.values():
                    raise ValueError(f"{path}:{reader.line_num}: not {len(found)} fields; copy it anew")
                yield reader.line_num, row
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: after line {reader.line_num}: not {encoding} ({error})") from None
        except csv.Error as error:  # a quote that nothing closes takes in all that follows
            raise ValueError(f"{path}: after line {reader.line_num}: {error}; copy it anew") from None


def tell_size(where: object, found: int, published: int, unit: str = "utterances") -> None:
    """Say so if a split has another size than the published one: a score on it is then another score."""
    if found != published:
        kind = "incomplete" if found < published else "another version"
        print(f"{where}: {kind}: expected {published} {unit} as published, found {found}")
