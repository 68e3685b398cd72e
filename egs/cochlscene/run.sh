#!/usr/bin/env bash
# CochlScene acoustic scenes: report accuracy on the test split.
#   ./run.sh --corpus /corpora/CochlScene   every stage
#   ./run.sh --corpus /corpora/CochlScene --eval_model ../multitask/exp/pretrain_default
#       prepare, decode and score with a model that is trained: the test part of the corpus is enough
exec ../../recipes/audio_llm.sh --corpora cochlscene --tasks asc --whisper none "$@"
