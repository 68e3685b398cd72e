# shellcheck shell=bash
# Sourced by run.sh and at a prompt: the commands of this checkout's environment.
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
here=$(cd "$recipe/../.." && pwd)
export PATH=${QWEN_AUDIO_VENV:-$here/tools/venv}/bin:$PATH
export PYTHONPATH=$recipe${PYTHONPATH:+:$PYTHONPATH} # a component of yours may lie beside run.sh
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} # processes times threads must not pass the number of cores
export PYTHONIOENCODING=utf-8 LC_ALL=C.UTF-8
