#!/usr/bin/env bash
# Prepare Clotho v2.1: data/clotho_train, _valid and _test from its development, validation and evaluation.
#   local/data.sh --corpus DIR    DIR holds development/*.wav, clotho_captions_development.csv as published
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)
root=$folder/../../..

# Options
corpus_name=clotho
corpus=               # folder with the clips and captions
preset=default        # the same for both
downloads=downloads   # not used: Clotho is fetched by hand
# End of options
. "$root/recipes/parse_options.sh"
. "$folder/../path.sh"
die() { echo "data.sh: $*" >&2; exit 1; }
[[ $corpus_name == clotho ]] || die "this recipe prepares clotho, not $corpus_name"
[[ -n $corpus ]] || die "give --corpus DIR, the folder with development, clotho_captions_development.csv ..."
PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} python3 "$folder/clotho.py" --corpus "$corpus"
