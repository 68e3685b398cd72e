#!/usr/bin/env bash
# AISHELL-2 Mandarin ASR: report the character error rate on the test sets Mic, iOS and Android.
#   ./run.sh --corpus /corpora/AISHELL-2   every stage
#   ./run.sh --corpus /corpora/AISHELL-2 --eval_model ../multitask/exp/pretrain_default
#       prepare, decode and score with a model that is trained: the test part of the corpus is enough
exec ../../recipes/audio_llm.sh --corpora aishell2 --tasks asr --whisper tools/backbones/whisper-base "$@"
