"""A checkout whose `qwen-audio` and local/data.sh write down how they are called."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
QWEN_AUDIO = r"""#!/bin/bash
echo "$*" >> "$LOG"
echo "$1 ${LD_PRELOAD:-none}" >> preloads
if [[ -n ${BREAK:-} && $* =~ $BREAK ]]; then echo "qwen-audio: broken" >&2; exit 1; fi
while [[ -n ${HOLD:-} && $* =~ $HOLD && ! -e go ]]; do sleep 0.05; done
if [[ $1 == tokenizer ]]; then mkdir -p "${@: -1}"; echo "a tokenizer" > "${@: -1}/spm.model"; fi
if [[ $1 == train ]]; then
    while [[ $1 != --output ]]; do shift; done
    mkdir -p "$2"; echo "seed: 1" > "$2/config.yaml"
fi
if [[ -n ${EMPTY:-} && "$* " =~ ^make_sft\ .*--out\ [^\ ]*($EMPTY)\  ]]; then
    mkdir -p "$5"; : > "$5/dialogues.jsonl"
fi
if [[ $1 == score ]]; then
    while [[ $1 != --about ]]; do shift; done
    cat "$2" > seen_by_score.json
fi
"""
DATA = """#!/bin/bash
echo "data $*" >> "$LOG"
while [[ ${HOLD:-} == data && ! -e go ]]; do sleep 0.05; done
for split in train valid test; do mkdir -p data/$2_$split; echo "a a.flac" > data/$2_$split/wav.scp; done
[[ -f data/sets.json ]] || cat > data/sets.json <<'SETS'
{"train": ["one_train", "two_train"], "valid": ["one_valid", "two_valid"], "test": ["one_test", "two_test"]}
SETS
"""
EXECUTABLE = {
    "tools/setup.sh": "#!/bin/sh\n",
    "tools/venv/bin/qwen-audio": QWEN_AUDIO,
    "tools/venv/bin/python": f'#!/bin/sh\nexec {sys.executable} "$@"\n',
    "egs/own/local/data.sh": DATA,
    "egs/own/run.sh": '#!/bin/sh\nexec ../../recipes/audio_llm.sh --corpora one --whisper none "$@"\n',
}
CONFIG = "decoder: transformer\nseed: 1\n"


class Recipe:
    """A recipe folder; ``run(...)`` gives the status, the output and the commands that were called."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, *args, **variables):
        run = self.start("log", *args, **variables)
        return self.end(run)

    def start(self, log, *args, **variables):
        """A run that goes on by itself, and what it calls stands in the file ``log``."""
        (self.folder / log).write_text("")
        env = {"PATH": os.environ["PATH"], "LOG": str(self.folder / log), **variables}
        with open(self.folder / f"{log}.out", "w") as output:
            run = subprocess.Popen(
                ["./run.sh", *args], cwd=self.folder, env=env, stdout=output, stderr=output
            )
        return log, run

    def end(self, started):
        log, run = started
        run.wait(timeout=100)
        return run.returncode, self.said(started), (self.folder / log).read_text().splitlines()

    def said(self, started):
        return (self.folder / f"{started[0]}.out").read_text()


def configure_chat(recipe):
    """Gives the recipe a stage 6."""
    (recipe.folder / "conf/sft.yaml").write_text("phases: [{steps: 3}]\n")
    (recipe.folder.parents[1] / "recipes/chat").mkdir()
    (recipe.folder.parents[1] / "recipes/chat/instructions.jsonl").write_text("{}\n")


def write_bench(recipe, status=0):
    """A measurement of the frame cache that writes its arguments into ``measured`` and ends with ``status``."""
    bench = recipe.folder.parents[1] / "tools/bench"
    bench.mkdir(parents=True)
    (bench / "frame_cache.py").write_text(
        f"import sys; open('measured', 'w').write(' '.join(sys.argv[1:])); sys.exit({status})\n"
    )


def names(called):
    return [line.split()[0] for line in called]


WHOLE = (
    ["config", "data", "check_leak"] + ["prepare"] * 3 + ["tokenizer"] + ["tokenize"] * 3
    + ["stats", "train", "average", "decode", "score"]
)  # fmt: skip
