#!/usr/bin/env bash
# Prepare MUSIC-AVQA's audio questions: data/musicavqa_train, _valid and _test, its own splits.
#   local/data.sh --corpus DIR    DIR holds json/ or data/json/avqa-train.json ... and, below it, ID.mp4 or ID.wav
here=$(dirname "$0")
exec "$here/../../../recipes/corpus_data.sh" --reader "$here/musicavqa.py" --programs ffmpeg "$@"
