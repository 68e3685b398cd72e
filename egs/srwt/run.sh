#!/usr/bin/env bash
# Speech recognition with word times on any aligned corpus: report AAS and WER on its test sets.
#   ./run.sh --corpus /corpora/aligned   every stage
#   ./run.sh --corpus /corpora/aligned --eval_model ../multitask/exp/pretrain_default
#       prepare, decode and score with a model that is trained: the test part of the corpus is enough
exec ../../recipes/audio_llm.sh --corpora srwt --tasks srwt --whisper none "$@"
