#!/usr/bin/env bash
# CoVoST 2 speech translation: report BLEU on en-de, de-en, en-zh, zh-en, es-en, fr-en and it-en.
#   ./run.sh --corpus /corpora/covost2   every stage
#   ./run.sh --corpus /corpora/covost2 --eval_model ../multitask/exp/pretrain_default
#       prepare, decode and score with a model that is trained: the test part of the corpus is enough
exec ../../recipes/audio_llm.sh --corpora covost2 --tasks s2tt --whisper none "$@"
