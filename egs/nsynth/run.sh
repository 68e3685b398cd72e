#!/usr/bin/env bash
# NSynth note analysis: report qualities (MAP), instrument, pitch and velocity on the test split.
#   ./run.sh --corpus /corpora/nsynth   every stage
#   ./run.sh --corpus /corpora/nsynth --eval_model ../multitask/exp/pretrain_default
#       prepare, decode and score with a model that is trained: the test part of the corpus is enough
exec ../../recipes/audio_llm.sh --corpora nsynth --tasks mna --whisper none "$@"
