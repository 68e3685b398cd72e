#!/usr/bin/env bash
# Make the Python environment: every package at the version of requirements.txt and constraints.txt, and this
# checkout editable. About a minute where packages come fast (6.6 GB); at once where it stands already.
#   tools/setup.sh                       into tools/venv
#   QWEN_AUDIO_VENV=/DIR tools/setup.sh  into /DIR, which several checkouts may share: its `qwen-audio`
#                                        command is that of the checkout whose set-up ran last
#   PYTHON=FILE tools/setup.sh           with this interpreter (3.12 or 3.13)
set -euo pipefail
case ${1:-} in
    '') ;;
    -h | --help) sed -n '2,7s/^# //p' "$0"; exit ;;
    *) echo "setup.sh: unknown option $1; it takes --help, and variables" >&2; exit 1 ;;
esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${QWEN_AUDIO_VENV:-$root/tools/venv}
[[ $venv == /* ]] || { echo "$0: QWEN_AUDIO_VENV=$venv; write the whole path, from /" >&2; exit 1; }

# The stamp is a copy of what the environment was made from, so any change of it shows.
made_from() { echo "$root"; cat "$root"/tools/{requirements,constraints}.txt "$root/setup.py"; }
stands() { [[ -x $venv/bin/python ]] && made_from | cmp -s - "$venv/.stamp"; }
say() { echo "setup.sh: $*"; }
install() {  # by uv; by pip, which takes some minutes, where uv cannot (it does not read pip's settings)
    "$venv/bin/uv" pip install --python "$venv/bin/python" "$@" || {
        say "uv could not; now with pip, which takes longer"
        "$venv/bin/python" -m pip install "$@"
    }
}

stands && exit
mkdir -p "$venv"
exec 9>"$venv.lock"
# shellcheck source=tools/lock.sh
. "$root/tools/lock.sh"
wait_for_lock 9 say "another set-up is at work on $venv: waiting for it"
stands && exit

options=()
[[ -t 1 ]] || options+=(--quiet)
# A package whose copying was cut short looks installed. So an interrupted set-up begins anew where the
# environment is ours (downloads are kept), and puts every package in again where it is the user's own.
begun=$(cat "$venv.unfinished" 2>/dev/null || true)
[[ -z $begun ]] || say "the last set-up was interrupted"
if [[ ! -x $venv/bin/python || $begun == ours ]]; then
    python=$("$root/tools/find_python.sh")
    say "new environment $venv with $python"
    echo ours > "$venv.unfinished"
    "$python" -m venv --clear "$venv"
elif [[ $begun == yours ]]; then
    options+=(--force-reinstall)
else
    if [[ -e $venv/.stamp ]]; then echo ours; else echo yours; fi > "$venv.unfinished"
fi
rm -f "$venv/.stamp"

say "installing $(grep -c == "$root/tools/constraints.txt") packages"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$root/tools/constraints.txt" uv
install "${options[@]}" -r "$root/tools/requirements.txt" -c "$root/tools/constraints.txt"
install "${options[@]}" --no-deps --no-build-isolation -e "$root"

made_from > "$venv/.stamp"
rm "$venv.unfinished"
say "done in $SECONDS s"
