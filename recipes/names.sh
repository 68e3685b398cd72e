# shellcheck shell=bash disable=SC2034,SC2046,SC2086,SC2154  # options and sets are the script's; names have no blanks
# Sourced by audio_llm.sh: what the folders of a run are called, so that runs with other options leave them alone.

as_name() { tr -cs 'A-Za-z0-9.' _ <<< " $*" | sed 's/_$//'; }  # as_name WORD...: _WORD_WORD; nothing of nothing

own_tasks() {  # _TASK_TASK where --tasks are others than those that run.sh itself gives, which stand first
    local first=''
    if grep -qsE '^[^#]*--tasks' run.sh; then
        first=$(printf '%s\n' "${given[@]}" | sed -n 's/^--tasks=//p; /^--tasks$/{n; p}' | sed -n 1p)
    fi
    [[ $tasks == "$first" ]] || as_name "${tasks:-all}"
}

tokenizer_and_start() {  # OTHER|MODEL: what the tokenizer is made of, if not as of conf/pretrain.yaml; where training starts
    local first=conf/pretrain.yaml
    [[ -f $first ]] || first=$config
    ask tokenizer "$first" "$config" $train_args
}

name_results() {  # sets $times and $results, a prefix of paths: every model has its own, those called default this folder
    local name=${chat##*/sft_}
    [[ -z $eval_model ]] || { name=${model##*/}; name=${name#pretrain_}; }
    times=$expdir/times_$name${without:+_no_$without}.json results=''
    [[ $name == default ]] || results=results_$name/
    [[ -z $without ]] || results+=without_$without/
}

take_model() {  # of --eval_model: what decoding reads; what it writes stands under $expdir all the same
    local file path name kind=pretrain set
    [[ -z $ablate$without ]] || die "--eval_model trains nothing: leave out --ablate and --without"
    for file in config.yaml run.json model.safetensors tokenizer; do
        [[ -e $eval_model/$file ]] ||
            die "--eval_model $eval_model has no $file; give a folder that stage 5 or \`qwen-audio import\` wrote"
    done
    path=$(realpath "$eval_model")
    name=${path##*/} path=${path%/*}
    if [[ $name == pretrain_* || $name == sft_* ]]; then
        kind=${name%%_*} name=${name#*_}
        [[ $path == "$(realpath -m "$expdir")" ]] || name=$(basename "${path%/*}")_$name  # recipes call their models alike
    fi
    model=$expdir/${kind}_eval_$name
    weights=$eval_model made=$eval_model/run.json tokenizer=$eval_model/tokenizer
    [[ -n $inference_config || ! -f $eval_model/decode.yaml ]] || inference_config=$eval_model/decode.yaml
    tokens=$dumpdir/tokens_${model##*/} config=$eval_model/config.yaml stats=$expdir/stats_${model##*/}
    skip_train=true skip_sft=true
    [[ -n $test_sets ]] || return 0
    for set in $test_sets; do [[ -d data/$set ]] || return 0; done
    corpora=''  # nothing is fetched for sets that are there
}
