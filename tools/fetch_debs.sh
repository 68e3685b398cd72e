#!/usr/bin/env bash
# Fetch Debian packages by name and unpack them into a folder; no root needed, nothing is installed.
#   tools/fetch_debs.sh --into downloads/deb asterisk-core-sounds-en-g722
#   tools/fetch_debs.sh --into downloads/programs --programs ffmpeg fluidsynth
# A package that was unpacked there before is not fetched again. --programs: a name that is a command already
# is left alone; root installs it; others unpack it with what it needs, to be called as DIR/bin/NAME. Where apt's
# lists of packages are missing or out of date, root updates them; others get lists of their own, in DIR/.apt.
set -euo pipefail
# shellcheck source=tools/lock.sh
. "$(dirname "${BASH_SOURCE[0]}")/lock.sh"
into='' programs=false names=()
while (($#)); do
    case $1 in
        --into) into=$2; shift 2 ;;
        --programs) programs=true; shift ;;
        -h | --help) sed -n '2,7s/^# //p' "$0"; exit 0 ;;
        -*) echo "fetch_debs.sh: unknown option $1; it takes --into DIR and --programs" >&2; exit 1 ;;
        *) names+=("$1"); shift ;;
    esac
done
[[ -n $into ]] || { echo "fetch_debs.sh: give the folder to unpack into: --into DIR" >&2; exit 1; }

mkdir -p "$into"
into=$(cd "$into" && pwd)

exec 9> "${TMPDIR:-/tmp}/fetch_debs.$UID.lock"  # apt does one thing at a time
wait_for_lock 9 echo "fetch_debs.sh: another call is fetching: waiting for it"

die() { echo "fetch_debs.sh: $*" >&2; exit 1; }

own=$into/.apt  # apt's files of a user who may not write root's
if [[ $(id -u) != 0 && -f $own/apt.conf ]]; then export APT_CONFIG=$own/apt.conf; fi

update() {  # the lists of packages anew
    if [[ $(id -u) != 0 ]]; then
        mkdir -p "$own"/{lists,cache/archives}/partial
        printf 'Dir::State::lists "%s";\nDir::Cache "%s";\n' "$own/lists" "$own/cache" > "$own/apt.conf"
        export APT_CONFIG=$own/apt.conf
    fi
    apt-get -qq update
}

lists() {  # the lists of packages, which a fresh machine does not have
    command -v apt-get > /dev/null || die "apt-get is missing: unpack $* yourself and name the folder with --corpus"
    if ! apt-cache show "$1" > /dev/null 2>&1; then
        update || die "apt's lists of packages could not be fetched"
        apt-cache show "$1" > /dev/null 2>&1 || die "Debian has no package $1"
    fi
}

fetched() {  # fetched COMMAND...: whether it succeeds, if need be with new lists: old ones name packages that are gone
    "$@" || { update && "$@"; }
}

download() {  # download NAME...: into $work
    rm -f "$work"/*.deb  # of a first try
    (cd "$work" && apt-get -qq download "$@")
}

unpack() {  # unpack NAME...: fetch all in one call
    local work package todo=()
    for package in "$@"; do [[ -e $into/.$package.done ]] || todo+=("$package"); done
    ((${#todo[@]})) || return 0
    lists "${todo[@]}"
    work=$(mktemp -d "$into/.fetch.XXXXXX")
    chmod a+rwx "$work"  # root's apt fetches as another user
    echo "fetching ${todo[*]}"
    fetched download "${todo[@]}" || { rm -rf "$work"; die "could not fetch ${todo[*]}"; }
    for package in "${todo[@]}"; do
        dpkg -x "$work/${package%%:*}"_*.deb "$into"
        touch "$into/.$package.done"
    done
    rm -rf "$work"
}

wrap() {  # wrap NAME: a command that finds the libraries beside it
    local libraries
    libraries=$(find "$into/usr/lib" -name '*.so*' -printf '%h\n' | sort -u | paste -sd :)
    mkdir -p "$into/bin"
    printf '#!/bin/bash\nLD_LIBRARY_PATH=%q exec %q "$@"\n' "$libraries" "$into/usr/bin/$1" > "$into/bin/$1"
    chmod +x "$into/bin/$1"
}

if [[ $programs == false ]]; then
    unpack "${names[@]}"
    exit 0
fi
for name in "${names[@]}"; do
    if command -v "$name" > /dev/null || [[ -x $into/bin/$name ]]; then continue; fi
    lists "$name"
    if [[ $(id -u) == 0 ]]; then
        echo "installing $name"
        DEBIAN_FRONTEND=noninteractive fetched apt-get -qq install --no-install-recommends -y "$name" > /dev/null ||
            die "could not install $name"
    else
        mapfile -t needed < <(
            apt-get -s install --no-install-recommends "$name" | awk '/^Inst/ {print $2}'
        )
        unpack "${needed[@]}"
        wrap "$name"
    fi
done
