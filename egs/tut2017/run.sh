#!/usr/bin/env bash
# TUT Acoustic Scenes 2017: report accuracy on the evaluation set.
#   ./run.sh --corpus /corpora/TUT2017   every stage
#   ./run.sh --corpus /corpora/TUT2017 --eval_model ../multitask/exp/pretrain_default
#       prepare, decode and score with a model that is trained: the test part of the corpus is enough
exec ../../recipes/audio_llm.sh --corpora tut2017 --tasks asc --whisper none "$@"
