#!/usr/bin/env bash
# Prepare one published corpus that was fetched by hand: its reader writes data/CORPUS_train, _valid and the
# test sets. Called by the local/data.sh of its recipe, in the folder where data/ is to be:
#   exec "$(dirname "$0")/../../../recipes/corpus_data.sh" --reader "$(dirname "$0")/aishell1.py" "$@"
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

# Options
reader=               # the Python program beside local/data.sh, called after the corpus
corpus_name=          # what is to be prepared; this corpus, or it is an error
corpus=               # folder with the corpus as published
preset=default        # the same for both
test_only=false       # true: the test sets alone, whatever is there
downloads=downloads   # folder for audio that is decoded first, and for programs
programs=             # programs that the reader calls, such as "ffmpeg": fetched where they are missing
# End of options
. "$root/recipes/parse_options.sh"
die() { echo "data.sh: $*" >&2; exit 1; }
[[ -f $reader ]] || die "call it as local/data.sh of a recipe"
name=$(basename "$reader" .py)
# shellcheck source=egs/multitask/path.sh
. "$(dirname "$reader")/../path.sh"
[[ ${corpus_name:=$name} == "$name" ]] || die "this recipe prepares $name, not $corpus_name"
[[ -n $corpus ]] || die "give --corpus DIR, the folder with $name as published"
if [[ -n $programs ]]; then
    # shellcheck disable=SC2086  # names of programs are to be split
    "$root/tools/fetch_debs.sh" --into "$downloads/programs" --programs $programs
fi
export PATH=$PATH:$downloads/programs/bin PYTHONPATH=$root:$root/recipes${PYTHONPATH:+:$PYTHONPATH}
only=()
[[ $test_only == false ]] || only=(--test_only)
python3 "$reader" --corpus "$corpus" --downloads "$downloads" "${only[@]}"
