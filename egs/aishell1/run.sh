#!/usr/bin/env bash
# AISHELL-1 Mandarin ASR: report the character error rate on dev and test.
#   ./run.sh --corpus /corpora/data_aishell   every stage
#   ./run.sh --corpus /corpora/data_aishell --eval_model ../multitask/exp/pretrain_default
#       prepare, decode and score with a model that is trained: the test part of the corpus is enough
exec ../../recipes/audio_llm.sh --corpora aishell1 --tasks asr --whisper tools/backbones/whisper-base "$@"
