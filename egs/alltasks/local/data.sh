#!/usr/bin/env bash
# Prepare one corpus as egs/multitask does, from what is downloaded there.
exec "$(dirname "$0")/../../multitask/local/data.sh" "$@" --downloads ../multitask/downloads
