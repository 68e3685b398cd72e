#!/usr/bin/env bash
# The one test command: set up what is missing, then every test.
#   test/run.sh                          all of them
#   test/run.sh test/recipes -k setup    what pytest is told; -n 0: in one process
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools/setup.sh
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} PYTHONIOENCODING=utf-8 LC_ALL=C.UTF-8
workers=(-n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder)  # in the order of test/conftest.py
exec "${QWEN_AUDIO_VENV:-tools/venv}/bin/python" -m pytest "${workers[@]}" "$@"
