#!/usr/bin/env bash
# LibriSpeech ASR: report WER on dev and test, clean and other.
#   ./run.sh --corpus /corpora/LibriSpeech                          every stage
#   ./run.sh --corpus /corpora/LibriSpeech --eval_model ../multitask/exp/pretrain_default
#       prepare, decode and score with a model that is trained: the test part of the corpus is enough
exec ../../recipes/audio_llm.sh --corpora librispeech --tasks asr "$@"
