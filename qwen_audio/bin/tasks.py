"""Print the tasks of recipes/tasks/ and the recipe's own: a table with tabs, or one training sequence of one task.

Example:
    qwen-audio tasks | column -ts $'\\t'     # prompt, output form, metrics, datasets, the paper's scores
    qwen-audio tasks srwt --example         # a training sequence and which of its pieces are trained
"""

import argparse
from pathlib import Path

from qwen_audio.registry import nearest
from qwen_audio.score.paper import own_figures
from qwen_audio.task_folders import task_folders
from qwen_audio.task_spec import GROUPS, TaskSpec, load_tasks
from qwen_audio.tokenizer import END

COLUMNS = ("name", "group", "prompt", "output", "metrics", "datasets", "paper")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="tasks to show; all by default")
    parser.add_argument(
        "--example", action="store_true", help="a training sequence, a piece a line, with the loss mask"
    )
    parser.add_argument("--folder", type=Path, help="folder of task files, a YAML each, to read instead")


def main(args: argparse.Namespace) -> None:
    folders = [args.folder] if args.folder else task_folders()
    tasks = load_tasks(*folders)
    for name in args.names:
        if name not in tasks:
            raise ValueError(f"{' and '.join(map(str, folders))}: no task {name!r}{nearest(name, tasks)}")
    chosen = sorted((tasks[name] for name in args.names or tasks), key=lambda spec: GROUPS.index(spec.group))
    if args.example:
        print("\n\n".join(map(example, chosen)))
    else:
        print("\n".join("\t".join(row) for row in [COLUMNS, *map(table_row, chosen)]))


def table_row(spec: TaskSpec) -> list[str]:
    """What the columns say of a task."""
    metrics = (" ".join(str(value) for value in entry.values()) for entry in spec.metrics)
    paper = (f"{what} {score}" for what, score in own_figures(spec.name).items())
    lists = (", ".join(found) or "-" for found in (metrics, spec.datasets, paper))
    return [spec.name, spec.group, spec.prompt, spec.output_form, *lists]


def example(spec: TaskSpec) -> str:
    """One training sequence of a task: a piece a line; loss is 1 where it is trained."""
    row = spec.sample()
    pieces = [("prompt", 0, *piece) for piece in spec.prompt_pieces(row)]
    pieces += [("answer", 1, *piece) for piece in [*spec.target_pieces(row), (END, True)]]
    lines = [f"{part}\t{loss}\t{'tag' if is_tag else 'text'}\t{text}" for part, loss, text, is_tag in pieces]
    return "\n".join([f"# {spec.name}: {spec.title}", "part\tloss\tkind\tpiece", *lines])
