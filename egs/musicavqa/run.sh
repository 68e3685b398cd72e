#!/usr/bin/env bash
# MUSIC-AVQA, its audio questions: report accuracy on the test split.
#   ./run.sh --corpus /corpora/MUSIC-AVQA   every stage
#   ./run.sh --corpus /corpora/MUSIC-AVQA --eval_model ../multitask/exp/pretrain_default
#       prepare, decode and score with a model that is trained: the test part of the corpus is enough
exec ../../recipes/audio_llm.sh --corpora musicavqa --tasks mqa --whisper none "$@"
