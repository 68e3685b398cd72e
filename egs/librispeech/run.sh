#!/usr/bin/env bash
# LibriSpeech ASR: report WER on dev and test, clean and other.
#   ./run.sh --corpus /corpora/LibriSpeech                          every stage
#   ./run.sh --corpus /corpora/LibriSpeech --stage 7 --tag lora     decode and score another model
exec ../../recipes/audio_llm.sh --corpora librispeech --tasks asr "$@"
