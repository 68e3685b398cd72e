#!/usr/bin/env bash
# Print the path of a Python that the toolkit runs on (3.12 or 3.13, with venv and pip).
#   tools/find_python.sh                 looks on PATH, then at pyenv, uv and conda, 3.12 first
#   PYTHON=FILE tools/find_python.sh     that one and no other
set -uo pipefail
shopt -s nullglob

suits() {  # runs the interpreter: a pyenv shim is on PATH for versions that it then refuses to run
    "$1" -c 'import ensurepip, sys, venv; sys.exit(not (3, 12) <= sys.version_info < (3, 14))' 2>/dev/null </dev/null
}

if [[ -n ${PYTHON:-} ]]; then
    suits "$PYTHON" && { type -P "$PYTHON"; exit; }
    echo "$0: PYTHON=$PYTHON is no Python 3.12 or 3.13 with venv; unset it to have one searched for" >&2
    exit 1
fi

home=${HOME:-/nonexistent}
candidates=()
for version in 3.12 3.13; do
    mapfile -t on_path < <(type -aP "python$version")
    candidates+=("${on_path[@]}" "${PYENV_ROOT:-$home/.pyenv}/versions/$version".*/bin/python
                 "${UV_PYTHON_INSTALL_DIR:-$home/.local/share/uv/python}/cpython-$version"*/bin/python3)
done
mapfile -t on_path < <(type -aP python3 python)
candidates+=("${on_path[@]}")
for conda in ${CONDA_PREFIX:+"$CONDA_PREFIX"} "$home"/{miniconda3,anaconda3,miniforge3,mambaforge} /opt/conda; do
    candidates+=("$conda"/bin/python "$conda"/envs/*/bin/python)
done

for candidate in "${candidates[@]}"; do
    [[ -x $candidate ]] && suits "$candidate" && { echo "$candidate"; exit; }
done
echo "$0: no Python 3.12 or 3.13 among ${#candidates[@]} places; get one by 'conda create -n py312 python=3.12'," \
     "'pyenv install 3.12' or the system's python3.12 and python3.12-venv, or name it: PYTHON=/path/to/python3.12" >&2
exit 1
