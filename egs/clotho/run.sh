#!/usr/bin/env bash
# Clotho audio captioning: report CIDEr on the evaluation split.
#   ./run.sh --corpus /corpora/clotho       every stage
#   ./run.sh --corpus /corpora/clotho --eval_model ../multitask/exp/pretrain_default
#       prepare, decode and score with a model that is trained: the test part of the corpus is enough
exec ../../recipes/audio_llm.sh --corpora clotho --tasks aac --whisper none "$@"
