#!/usr/bin/env bash
# VocalSound, six sounds that people make: report accuracy on the test split.
#   ./run.sh --corpus /corpora/vocalsound   every stage
#   ./run.sh --corpus /corpora/vocalsound --eval_model ../multitask/exp/pretrain_default
#       prepare, decode and score with a model that is trained: the test part of the corpus is enough
exec ../../recipes/audio_llm.sh --corpora vocalsound --tasks vsc --whisper none "$@"
