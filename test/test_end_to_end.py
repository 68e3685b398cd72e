"""egs/multitask from raw recordings to RESULTS.md: every stage for real, with tiny random backbones."""

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
KEYS = [
    "agent-pass", "auth-thankyou", "call-waiting", "conf-full", "conf-invalid", "conf-locked", "conf-muted",
    "goodbye", "queue-thankyou", "vm-goodbye", "vm-password", "vm-received", "vm-repeat", "vm-tooshort",
]  # fmt: skip
VOICES = {"en": "en_US_f_Allison", "es": "es_MX_f_Allison"}


@pytest.fixture(scope="module")
def real_clips(tmp_path_factory):
    """A corpus folder with a handful of the real recordings, in the packages' own layout."""
    packages = [f"asterisk-core-sounds-{lang}{kind}" for lang in VOICES for kind in ("", "-g722")]
    downloads = ROOT / "egs/multitask/downloads"
    subprocess.run([ROOT / "tools/fetch_debs.sh", "--into", downloads / "deb", *packages], check=True)
    fetch = [ROOT / "tools/fetch_debs.sh", "--into", downloads / "programs", "--programs", "ffmpeg"]
    subprocess.run(fetch, check=True)
    share, corpus = downloads / "deb/usr/share", tmp_path_factory.mktemp("clips") / "usr/share"
    for lang, voice in VOICES.items():
        texts = Path(f"doc/asterisk-core-sounds-{lang}/core-sounds-{lang}.txt.gz")
        with gzip.open(share / texts, "rt", encoding="utf-8-sig") as stream:
            lines = [line for line in stream if line.split(":")[0] in KEYS]
        (corpus / texts).parent.mkdir(parents=True)
        with gzip.open(corpus / texts, "wt", encoding="utf-8") as stream:
            stream.writelines(lines)
        sounds = corpus / "asterisk/sounds" / voice
        sounds.mkdir(parents=True)
        for recording in (share / "asterisk/sounds" / voice).glob("*.g722"):
            if recording.stem in KEYS:
                shutil.copy(recording, sounds)
    return corpus.parent.parent, downloads / "programs/bin"


@pytest.fixture
def copied():
    """Copies recipes beside them, so that a user's own data and models there stay as they are."""
    folders = []

    def copy(name: str) -> Path:
        folders.append(ROOT / "egs" / f"test_{name}_{os.getpid()}")
        work = shutil.ignore_patterns("data", "dump", "exp", "downloads")
        return shutil.copytree(ROOT / "egs" / name, folders[-1], ignore=work)

    yield copy
    for folder in folders:
        shutil.rmtree(folder)


def test_the_recipe_runs_from_recordings_to_results_and_again_at_once(
    real_clips, copied, tmp_path, tiny_whisper, tiny_llm
):
    recipe = copied("multitask")
    corpus, programs = real_clips
    config = {
        "include": "pretrain.yaml",
        "encoder_conf": {"model": str(tiny_whisper)},
        "decoder_conf": {"model": str(tiny_llm), "lora": {"r": 2}},
        "train_dtype": "float32",
        "phases": [
            {"steps": 2, "loss_weights": {"ctc": 1.0}, "task_weights": {"asr": 1}},
            {"steps": 3, "loss_weights": {"lm": 1.0, "ctc": 0.5}},
        ],
        "num_threads": 1,
        "valid_steps": 5,
        "checkpoint_steps": 2,
    }
    (recipe / "conf/tiny.yaml").write_text(yaml.safe_dump(config))
    sft = {
        "include": "sft.yaml",
        "decoder_conf": {"lora": {"r": 2}},
        "train_dtype": "float32",
        "phases": [{"steps": 3, "task_weights": {"template": 2, "joined": 1, "text": 1}}],
        "num_threads": 1,
        "valid_steps": 3,
        "checkpoint_steps": 2,
    }
    (recipe / "conf/tiny_sft.yaml").write_text(yaml.safe_dump(sft))
    decode = {"num_threads": 1, "max_new_tokens": 4, "tasks": {"asr": {"beam_size": 2, "ctc_weight": 0.5}}}
    (recipe / "conf/tiny_decode.yaml").write_text(yaml.safe_dump(decode))
    command = [
        "./run.sh", "--stage", "0", "--corpora", "asterisk", "--corpus", corpus, "--nj", "1", "--ngpu", "0",
        "--pretrain_config", "conf/tiny.yaml", "--inference_config", "conf/tiny_decode.yaml", "--whisper", "none",
        "--sft_config", "conf/tiny_sft.yaml", "--answer_args", "--max_new_tokens 4 --num_threads 1",
        "--ablate", "srwt",
    ]  # fmt: skip
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:{programs}"}

    def run(command=command, recipe=recipe):
        done = subprocess.run(
            list(map(str, command)), cwd=recipe, env=environment, capture_output=True, text=True, timeout=1800
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    run()
    scores = recipe / "results_tiny"
    results = json.loads((scores / "results.json").read_text())
    examples = (recipe / "dump/raw/asterisk_test/examples.jsonl").read_text().splitlines()
    in_test = {json.loads(line)["task"] for line in examples}
    for stage, others in (("pretrain", set()), ("sft", {"joined"})):
        scored = {row["task"] for row in results["rows"] if row["stage"] == stage}
        assert scored == in_test | others and in_test >= {"asr", "srwt", "lid"}
    for row in results["rows"]:
        assert row["count"] > 0 and row["baseline_name"]
    report = (scores / "RESULTS.md").read_text()
    assert "| asr |" in report and report.count("right would be: ") == 5
    model = recipe / "exp/pretrain_tiny"
    for name in ("pretrain_tiny", "sft_tiny"):
        assert (recipe / "exp" / name / "loss.png").stat().st_size > 10_000
    assert list((recipe / "exp/frame_cache").glob("*/frames.bin"))
    for name in ("train", "valid", "test"):
        prepared = json.loads((recipe / f"dump/raw/asterisk_{name}/summary.json").read_text())
        for kind in ("utterances", "examples"):
            assert prepared["used"][kind] + prepared["rejected"][kind] == prepared["read"][kind] > 0

    without = json.loads((scores / "without_srwt/results.json").read_text())
    assert {row["task"] for row in without["rows"]} == in_test - {"srwt"}
    trained = json.loads((recipe / "exp/pretrain_tiny_no_srwt/run.json").read_text())["tasks"]
    assert not any("srwt" in task for task in trained)
    compared = (scores / "without_srwt/report.md").read_text()
    for heading in ("Table 4", "Table 5", "Own sets"):
        assert f"## {heading}: trained without SRWT and with SRWT" in compared
    own = compared.split("## Own sets")[1].split("\n## ")[0]
    assert "without SRWT: pretrain_tiny_no_srwt | with SRWT: pretrain_tiny |" in own
    assert "| asr | asterisk_test |" in own and "| lid |" in own and "| srwt |" not in own

    before = (model / "model.safetensors").stat().st_mtime_ns
    assert ": done in " not in run()
    assert (model / "model.safetensors").stat().st_mtime_ns == before

    other = copied("librispeech")  # the trained model on a corpus of which the test part alone is there
    chapter = tmp_path / "LibriSpeech/test-clean/84/121123"
    chapter.mkdir(parents=True)
    clip = next((recipe / "dump/raw/asterisk_test").rglob("*.flac"))
    shutil.copy(clip, chapter / "84-121123-0000.flac")
    (chapter / "84-121123.trans.txt").write_text("84-121123-0000 GO ON THEN\n")
    evaluate = ["./run.sh", "--corpus", tmp_path / "LibriSpeech", "--eval_model", model, "--whisper", "none",
                "--nj", "1", "--ngpu", "0"]  # fmt: skip
    assert "decode librispeech_test_clean: 1 of 1" in run(evaluate, other)
    name = f"eval_{recipe.name}_tiny"
    rows = json.loads((other / f"results_{name}/results.json").read_text())["rows"]
    assert {(row["model"], row["set"], row["task"]) for row in rows} == {
        (f"pretrain_{name}", "librispeech_test_clean", "asr")
    }
    assert all(row["parts"]["words"] == 3 and row["baseline"] == 1.0 for row in rows)
    assert not (other / "exp/tokenizer").exists()
