# shellcheck shell=bash disable=SC2154,SC2034,SC2206  # options and sets are the script's; set names have no blanks
# Sourced by audio_llm.sh: runs a stage, or a stage's part for one set, unless it was done before.
#
#   if begin 1 dump/raw/SET "format audio" "OPTIONS" FILE...; then
#       COMMANDS
#       finish
#   fi
#
# begin is false where --stage, --stop_stage or --skip_* leave the stage out, and where the marker
# dump/raw/SET/.done1 tells that it was done with the same OPTIONS and the same contents of FILEs. Of a stage that
# is left out, and that later ones may build on, one line says if it was done with others. finish
# writes the marker: a checksum of those, the seconds taken, the date, the command. A marker is itself a FILE of
# the stages that build on it, so what follows a stage that ran again runs again as well. Remove a marker to
# repeat its stage. Of two runs at once, such as one per GPU with a --tag of its own, one does what both want and
# the other waits for it.

# shellcheck source=tools/lock.sh
. "$root/tools/lock.sh"
declare -A seconds=()  # of each stage, whether it ran now or before
running='' later=() locked='' commands=''  # the calls that did what stands there, one a line

log() { echo "$(date '+%Y-%m-%dT%H:%M:%S') $*"; }
die() { echo "${0##*/}: $*" >&2; exit 1; }

asked_for() {  # asked_for STAGE
    local skip
    case $1 in
        [0-2]) skip=$skip_data_prep ;;
        [3-5]) skip=$skip_train ;;
        6) skip=$skip_sft ;;
        [78]) skip=$skip_eval ;;
        9) skip=$skip_packing ;;
    esac
    ((stage <= $1 && $1 <= stop_stage)) && [[ $skip == false ]]
}

begin() {
    number=$1 marker=$2/.done$1 title=$3
    ! up_to_date "${@:4}" || return 1
    if ! asked_for "$1"; then
        [[ -n $missing || ! -f $marker ]] || (($1 > stop_stage)) ||
            log "stage $1: $title: out of date, options or files changed since it was done; --stage or --skip_* leave it out"
        return 1
    fi
    [[ -z $missing ]] || die "stage $1 ($title) needs $missing, which is not there; give a lower --stage, or make it"
    ((${#later[@]})) || lock "${2%/decode*}"  # sets are decoded together, under the lock of their model
    if up_to_date "${@:4}"; then  # another run did it meanwhile
        ((${#later[@]})) || unlock
        return 1
    fi
    log "stage $1: $title"
    running=$1 since=$SECONDS
    rm -f "$marker"
}

up_to_date() {  # up_to_date OPTIONS FILE...: whether $marker says so; sets $key, and $missing to the first FILE that is absent
    local file
    missing=''
    for file in "${@:2}"; do [[ -f $file ]] || missing=${missing:-$file}; done
    [[ -z $missing ]] || return 1
    key=$(key_of "$@")
    [[ -f $marker && $(sed -n 1p "$marker") == "$key" ]] || return 1
    count_seconds "$(sed -n 2p "$marker")"
    remember "$(sed -n 4p "$marker")"
    ! asked_for "$number" || log "stage $number: $title: done before; to repeat it, remove $marker"
}

lock() {  # lock FOLDER: against other runs, until unlock, or the end of this one and of what it started
    local file shared=''
    file=$(dirname "$1")/.$(basename "$1").lock  # beside it: stages replace the folder itself
    mkdir -p "${file%/*}"
    exec {locked}<>"$file"
    ((num_nodes == 1)) || shared=--shared  # several machines train in one folder
    wait_for_lock "$shared $locked" log "stage $number: $title: another run is at work on $1: waiting for it"
}

unlock() {
    flock --unlock "$locked" 2>/dev/null || true  # closing is not enough: a process that was left over may hold the file
    exec {locked}>&-
}

key_of() { { echo "$1"; cat "${@:2}" /dev/null; } | cksum; }  # key_of OPTIONS FILE...

was_done() {  # was_done STAGE FOLDER OPTIONS FILE...: whether begin would say so
    local file
    for file in "${@:4}"; do [[ -f $file ]] || return 1; done
    [[ -f $2/.done$1 && $(sed -n 1p "$2/.done$1") == "$(key_of "${@:3}")" ]]
}

finish() {
    local took=$((SECONDS - since))
    running=''
    mark "$key" "$marker" "$took"
    unlock
    log "stage $number: $title: done in $took s"
}

put_off() { later+=("$key|$marker"); }  # after begin: one command does this with others of its stage, then finish_all

finish_all() {  # the seconds are shared out
    local took=$((SECONDS - since)) count=${#later[@]} n
    running=''
    for ((n = 0; n < count; n++)); do
        mark "${later[n]%%|*}" "${later[n]#*|}" $((took / count + (n < took % count)))
    done
    later=()
    unlock
    log "stage $number: all $count: done in $took s"
}

mark() {  # mark KEY MARKER SECONDS
    mkdir -p "${2%/*}"
    printf '%s\n%s\n%s\n%s\n' "$1" "$3" "$(date '+%Y-%m-%dT%H:%M:%S.%N')" "$called" > "$2"
    count_seconds "$3"
    remember "$called"
}

count_seconds() {  # adds to the stage of begin; what stands in $times goes into RESULTS.md
    local n hash='' total=0 list=''
    seconds[$number]=$((${seconds[$number]:-0} + $1))
    for n in $(printf '%s\n' "${!seconds[@]}" | sort -n); do
        total=$((total + seconds[$n])) list+=", \"stage_${n}_seconds\": ${seconds[$n]}"
    done
    [[ ! -f $weights/config.yaml ]] || hash=$(sha256sum < "$weights/config.yaml" | cut -c 1-12)
    mkdir -p "$expdir"
    printf '{"model": "%s", "config_hash": "%s", "seconds": %s%s}\n' \
        "${model##*/}" "$hash" "$total" "$list" > "$times"
}

remember() { [[ $commands == *"$1"$'\n'* ]] || commands+=$1$'\n'; }

made_by() { remember "$called"; sed '/./!d' <<< "$commands" | paste -sd '|' | sed 's/|/; then /g'; }

trap '[[ -z $running ]] || log "stage $running: $title: broken off after $((SECONDS - since)) s; the same command goes on here"' EXIT

start_tokenizer() {  # the files that the tokenizer is copied from, where training starts from a model
    [[ -z $start ]] || find "$start/tokenizer" -type f 2>/dev/null | sort || true
}

stamp() { [[ -z $1 ]] || stat -L -c '|%n %s %Y' "$1/model.safetensors" 2>/dev/null || true; }  # stamp MODEL

read_sets() {  # sets the arrays train, valid and test
    train=(${train_set:-$(corpus_sets train)})
    valid=(${valid_set:-$([[ -n $train_set ]] || corpus_sets valid)})
    test=(${test_sets:-$([[ -n $train_set ]] || corpus_sets test)})
    [[ -z $eval_model ]] || train=() valid=()
}

corpus_sets() {  # corpus_sets train|valid|test: the sets that local/data.sh made of $corpora
    [[ ! -f data/sets.json ]] || ask sets "$1" "$corpora"
}

keep_sets_of_tasks() {  # of the arrays train, valid and test, where they are prepared: the sets with an example of $tasks
    local kind set kept
    for kind in train valid test; do
        local -n sets=$kind
        kept=()
        for set in "${sets[@]}"; do
            if [[ ! -f $feats/$set/examples.jsonl ]] || has_task "$tasks" "$set"; then
                kept+=("$set")
            else
                log "$set has no example of $tasks: left out"
            fi
        done
        ((${#kept[@]} || !${#sets[@]})) || [[ $kind == valid ]] ||
            die "no $kind set has an example of $tasks; name other --tasks, or other sets"
        sets=("${kept[@]}")
    done
}

done_files() {  # done_files STAGE FOLDER SET...: the markers of that stage for these sets
    local set
    for set in "${@:3}"; do echo "$2/$set/.done$1"; done
}

with_task() {  # with_task TASK OPTION SET...: the option with the first prepared set that has examples of the task
    local set
    for set in "${@:3}"; do
        if has_task "$1" "$set"; then echo "$2" "$feats/$set"; return; fi
    done
}

has_task() {  # has_task TASKS SET: whether the prepared set has an example of one of these tasks
    grep -qE "\"task\": \"($(xargs <<< "$1" | tr ' ' '|'))\"" "$feats/$2/examples.jsonl"
}

data_files() {  # data_files SET...: what stage 1 reads of these data directories
    local set file
    for set; do
        echo "data/$set/wav.scp"
        for file in data/"$set"/{segments,text,utt2spk,utt2lang,examples.jsonl}; do
            [[ ! -f $file ]] || echo "$file"
        done
    done
}

ask() { python "$root/recipes/ask.py" "$@"; }

config_json() { ask config "$@"; }  # config_json CONFIG [KEY...] [ARGUMENT...]: it, or these keys of it, with its includes

task_json() { ask tasks "$root/recipes/tasks" "$tasks" "$@"; }  # task_json KEY...: these keys of the recipe's task files

pack() {  # pack MODEL FOLDER FILE: the model for ESPnet's `unpack`, made where FILE says so, into FOLDER/packed
    if begin 9 "$2/packed" "pack $1" "$(stamp "$eval_model")" "$3"; then
        qwen-audio export "$1" "$2/packed" --to espnet
        finish
    fi
}

allocator() {  # the memory allocator tcmalloc, if it is there: torch on a CPU is faster with it (tools/bench/allocator.py)
    # a relative path: LD_PRELOAD is cut at blanks, which the path of the checkout may hold
    { PATH=$PATH:/sbin ldconfig -p | sed -n 's/.*libtcmalloc\(_minimal\)\?\.so\.4 .*=> //p'
      find downloads/programs -name libtcmalloc_minimal.so.4 || true; } 2>/dev/null | sed -n 1p
}

# shellcheck disable=SC2016,SC2086  # the inner bash expands it; a place is two or four words
decode() {  # decode ARGUMENT...: the sets of $undecoded; with several GPUs a set a process, on the next GPU that is free
    if ((ngpu > 1 && ${#undecoded[@]} > 1)); then
        printf '%s\n' "${undecoded[@]}" |  # cat: on a terminal they would draw their progress bars over each other's
            xargs -n 1 -P "$ngpu" --process-slot-var=gpu bash -c 'exec qwen-audio decode --device "cuda:$gpu" "$@"' decode \
                --model "$weights" --output "$model/decode" --dtype auto "$@" --sets |& cat
    else
        qwen-audio decode --model "$weights" --sets "${undecoded[@]}" --output "$model/decode" $place "$@"
    fi
}

usable_gpus() {  # 1 where there is a GPU and torch can compute on it, else 0
    local fault
    [[ $(nvidia-smi -L 2>/dev/null) == GPU* ]] || { echo 0; return; }
    fault=$(python -W ignore -c 'from qwen_audio.infer.arguments import device_fault; print(device_fault("cuda"))')
    [[ -n $fault ]] || { echo 1; return; }
    log "the GPU is left alone, torch cannot use it: $fault" >&2
    echo 0
}

read_ahead() {  # read_ahead CONFIG: for a GPU, where the config reads the audio between the steps as is fastest on a CPU
    ((!ngpu)) || [[ $(config_json "$1" num_workers) != '{"num_workers": 0}' ]] || echo --override num_workers=4
}

launch() {  # launch COMMAND: how to call `qwen-audio COMMAND` on $num_nodes machines with $ngpu GPUs each
    local torchrun="python -m torch.distributed.run --nproc_per_node $((ngpu > 0 ? ngpu : 1))"
    if ((num_nodes > 1)); then
        echo "$torchrun --nnodes $num_nodes --rdzv_backend c10d --rdzv_endpoint $master -m qwen_audio $1"
    elif ((ngpu > 1)); then
        echo "$torchrun --standalone -m qwen_audio $1"
    else
        echo "qwen-audio $1"
    fi
}
