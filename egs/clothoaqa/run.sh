#!/usr/bin/env bash
# ClothoAQA audio question answering: report accuracy on the test split, all answers and yes or no.
#   ./run.sh --corpus /corpora/clotho_aqa   every stage
#   ./run.sh --corpus /corpora/clotho_aqa --eval_model ../multitask/exp/pretrain_default
#       prepare, decode and score with a model that is trained: the test part of the corpus is enough
exec ../../recipes/audio_llm.sh --corpora clothoaqa --tasks aqa --whisper none "$@"
