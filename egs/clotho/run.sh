#!/usr/bin/env bash
# Clotho audio captioning: report CIDEr on the evaluation split.
#   ./run.sh --corpus /corpora/clotho       every stage
exec ../../recipes/audio_llm.sh --corpora clotho --tasks aac "$@"
