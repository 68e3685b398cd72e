#!/usr/bin/env bash
# Speech, sounds and music at once: transcribe, translate, tell languages, sounds and instruments.
#   ./run.sh                                every stage, on small real corpora that are fetched
#   ./run.sh --preset full                  more of each, a longer training
#   ./run.sh --ablate srwt                  the same without word times as well: without_srwt/report.md
#   ./run.sh --help                         stages and options
exec ../../recipes/audio_llm.sh --corpora "asterisk sounds notes tunes rejoined espeak syllables" \
    --word_heads "tokens ctc attention whisper:tools/backbones/whisper-base pocketsphinx" \
    --tasks "asr s2tt srwt lid sec mic mna" --make_sft_args "--langs en" "$@"
