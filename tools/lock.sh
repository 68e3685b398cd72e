# shellcheck shell=bash
# Sourced by setup.sh, fetch_debs.sh and recipes/stages.sh.

wait_for_lock() {  # wait_for_lock "[--shared] DESCRIPTOR" COMMAND...: where another holds it, COMMAND says so first
    local status=0
    # shellcheck disable=SC2086  # two words
    flock --nonblock $1 2> /dev/null || status=$?
    if ((status == 1)); then  # any other fault: this file system has no locks, and nothing is waited for
        "${@:2}"
        # shellcheck disable=SC2086
        flock $1
    fi
}
