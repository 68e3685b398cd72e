#!/usr/bin/env bash
# MELD emotion recognition: report accuracy on the test split.
#   ./run.sh --corpus /corpora/MELD.Raw   every stage
#   ./run.sh --corpus /corpora/MELD.Raw --eval_model ../multitask/exp/pretrain_default
#       prepare, decode and score with a model that is trained: the test part of the corpus is enough
exec ../../recipes/audio_llm.sh --corpora meld --tasks er --whisper none "$@"
