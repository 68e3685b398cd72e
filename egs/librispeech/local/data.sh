#!/usr/bin/env bash
# Prepare LibriSpeech: data/librispeech_train, _valid and one test set per dev-* and test-* subset.
#   local/data.sh --corpus DIR    DIR holds train-clean-100, dev-clean, test-clean ... as published
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)
root=$folder/../../..

# Options
corpus_name=librispeech
corpus=               # folder with the subsets
preset=default        # the same for both
downloads=downloads   # not used: LibriSpeech is fetched by hand (60 GB)
# End of options
. "$root/recipes/parse_options.sh"
. "$folder/../path.sh"
die() { echo "data.sh: $*" >&2; exit 1; }
[[ $corpus_name == librispeech ]] || die "this recipe prepares librispeech, not $corpus_name"
[[ -n $corpus ]] || die "give --corpus DIR, the folder with train-clean-100, dev-clean ..."
PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} python3 "$folder/librispeech.py" --corpus "$corpus"
