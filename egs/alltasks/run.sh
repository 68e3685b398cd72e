#!/usr/bin/env bash
# Every task that the small corpora of egs/multitask can serve, 26 of the paper's 31, in one model: its own goes on with
# them. Most of the labels are made by rule, by mixing or by synthesis; RESULTS.md says which.
#   (cd ../multitask && ./run.sh --stop_stage 5)    first: the model to start from
#   ./run.sh                                        every stage
#   ./run.sh --help                                 stages and options
exec ../../recipes/audio_llm.sh --corpora "asterisk sounds notes tunes syllables mixes phrases questions voices music" \
    --tag default --train_args "--init ../multitask/exp/pretrain_default" \
    --inference_config ../multitask/conf/decode.yaml "$@"
