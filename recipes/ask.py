"""What the stages ask of configurations, task files and data, answered on one line; called by stages.sh.

python ask.py sets train|valid|test "CORPUS ...": the sets that local/data.sh made of these corpora, in data/sets.json
python ask.py config CONFIG [KEY...] [ARGUMENT...]: it, or these keys of it, with its includes, in JSON
python ask.py tokenizer FIRST CONFIG [ARGUMENT...]: OTHER|MODEL: what the tokenizer is made of, where it is not that
    of the configuration FIRST; the model that training starts from
python ask.py tasks FOLDER "TASK ..." KEY...: these keys of the task files, of all without a TASK, in JSON; of FOLDER
    and of tasks/ of the recipe

ARGUMENTs are those of `qwen-audio train`. Each call imports only what it needs: the stages make many.
"""

import json
import sys
from pathlib import Path


def sets(kind: str, corpora: str) -> str:
    known = json.loads(Path("data/sets.json").read_text(encoding="utf-8"))
    beginnings = tuple(f"{corpus}_" for corpus in corpora.split())
    return " ".join(name for name in known[kind] if name.startswith(beginnings))


def config(*words: str) -> str:
    changed, keys = _read(words)
    return json.dumps(
        {key: value for key, value in changed.items() if key in (keys or changed)}, sort_keys=True
    )


def tokenizer(first: str, *words: str) -> str:
    from qwen_audio.config import read_yaml, with_all_keys

    before, now, other = read_yaml(first), _read(words)[0], ""
    if now != before:
        from qwen_audio.data.run_tokenizer import source

        old, new = (source(with_all_keys(each)) for each in (before, now))
        other = "" if new == old else new
    return f"{other}|{now.get('init') or ''}"


def tasks(folder: str, names: str, *keys: str) -> str:
    from qwen_audio.task_folders import task_folders
    from qwen_audio.task_spec import load_tasks

    specs = load_tasks(*task_folders(Path(folder)))
    wanted = names.split() or specs
    found = {name: {key: getattr(specs[name], key) for key in keys} for name in specs if name in wanted}
    return json.dumps(found, sort_keys=True)


def _read(words: tuple[str, ...]) -> tuple[dict, list[str]]:
    """The configuration with the changes of the arguments, and the keys asked for."""
    import argparse

    from qwen_audio.config import override, read_yaml
    from qwen_audio.train.arguments import add_changes, changes

    parser = argparse.ArgumentParser()
    parser.add_argument("config")
    parser.add_argument("keys", nargs="*")
    add_changes(parser)
    args, _ = parser.parse_known_args(words)
    return override(read_yaml(args.config), changes(args)), args.keys


try:
    print(
        {"sets": sets, "config": config, "tokenizer": tokenizer, "tasks": tasks}[sys.argv[1]](*sys.argv[2:])
    )
except (ValueError, OSError) as error:
    sys.exit(str(error))
