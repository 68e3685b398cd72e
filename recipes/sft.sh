# shellcheck shell=bash disable=SC2046,SC2086,SC2154  # options and sets are the script's; names have no blanks
# Sourced by audio_llm.sh: stage 6, fine-tuning for chat, and how the chat model is decoded and scored.
# Dialogues: dump/sft/SET (of a test set at most 30 questions of a kind and language, and in SET_joined several
# recordings a dialogue), dump/tokens_sft/SET (tokens_sft_NAME as in stage 2), of a folder of --sft_train A/B own+A+B there:
# no set is called so. The model: exp/sft_TAG, and the dialogues it answered in exp/sft_TAG/decode/SET. A set whose labels
# give no dialogue is left out of all this.

sft=$dumpdir/sft sft_tokens=$dumpdir/tokens_sft$own
chat_train=() chat_valid=()  # sets under $sft_tokens

fine_tune() {
    local set folder text=$root/recipes/chat/instructions.jsonl
    phrasings=$(ask tasks "$root/recipes/tasks" '' chat)  # of all tasks, as dialogues are made of all labels
    if [[ $make_sft == true ]]; then
        for set in "${train[@]}"; do
            make_dialogues "$set" "$set" ${text:+--text "$text"} $make_sft_args
            no_dialogue "$sft/$set" || text=''  # once is enough
        done
        for set in "${valid[@]}"; do make_dialogues "$set" "$set" --count 6 $make_sft_args; done
        for set in "${train[@]}"; do tokens_of chat_train "$sft/$set" "$set" "$sft/$set/.done6"; done
        for set in "${valid[@]}"; do tokens_of chat_valid "$sft/$set" "$set" "$sft/$set/.done6"; done
    fi
    for folder in $sft_train; do tokens_of chat_train "$folder" "own+${folder//\//+}" "$folder/dialogues.jsonl"; done
    for folder in $sft_valid; do tokens_of chat_valid "$folder" "own+${folder//\//+}" "$folder/dialogues.jsonl"; done
    if ((!${#chat_train[@]})); then
        ! asked_for 6 || log "stage 6: the labels of no training set give a dialogue, and there is no --sft_train: no chat model"
        return
    fi
    if begin 6 "$chat" "fine-tuning of $chat" "$(config_json "$sft_config")|$sft_args" "$model/.done5" \
        $(done_files 6 "$sft_tokens" "${chat_train[@]}" "${chat_valid[@]}"); then
        LD_PRELOAD=$allocator $(launch train) --config "$sft_config" --init "$model" --train "${chat_train[@]/#/$sft_tokens/}" \
            --valid "${chat_valid[@]/#/$sft_tokens/}" --output "$chat" --ngpu "$ngpu" $(read_ahead "$sft_config") $sft_args
        qwen-audio average "$chat"
        rm -f "$chat/frame_cache.json"
        if ((ngpu < 2)) && grep -q '"max_gb"' <<< "$(config_json "$sft_config" frame_cache $sft_args)"; then  # what it saves, for RESULTS.md
            LD_PRELOAD=$allocator python "$root/tools/bench/frame_cache.py" --config "$sft_config" --init "$model" \
                --sets "${chat_train[@]/#/$sft_tokens/}" --steps 6 --json "$chat/frame_cache.json" --device "$device" \
                --num_threads "$nj" $sft_args || log "what the frame cache saves was not measured"
        fi
        finish
    fi
    for set in "${test[@]}"; do  # the last word counts: no LLM writes what is scored, and there is no more of it
        make_dialogues "$set" "$set" $make_sft_args --source template --count 30
        make_dialogues "$set" "${set}_joined" $make_sft_args --source joined --count 12
    done
}

make_dialogues() {  # make_dialogues SET NAME ARGUMENT...: dump/sft/NAME from the labels of SET
    if begin 6 "$sft/$2" "dialogues of $2" "${*:3}|$phrasings" "$feats/$1/.done1" "$root"/recipes/chat/*; then
        qwen-audio make_sft --data "$feats/$1" --out "$sft/$2" "${@:3}"
        finish
    fi
}

no_dialogue() { [[ -f $1/dialogues.jsonl && ! -s $1/dialogues.jsonl ]]; }  # no_dialogue FOLDER

tokens_of() {  # tokens_of ARRAY FOLDER NAME FILE: dump/tokens_sft/NAME from the dialogues of FOLDER; NAME is added to ARRAY
    local -n names=$1
    ! no_dialogue "$2" || return 0
    names+=("$3")
    if begin 6 "$sft_tokens/$3" "tokens of the dialogues of $2" "" "$4" "$tokenizer"/*; then
        qwen-audio tokenize "$2" "$sft_tokens/$3" --tokenizer "$tokenizer"
        finish
    fi
}

answer() {  # the test dialogues, in stage 7
    local sets
    mapfile -t sets < <(chat_test_sets)
    if begin 7 "$chat/decode" "answer the test dialogues" "$answer_args" "$chat/.done6" $(done_files 6 "$sft" "${sets[@]}"); then
        LD_PRELOAD=$allocator qwen-audio answer --model "$chat" --sets "${sets[@]/#/$sft/}" \
            --output "$chat/decode" --num_threads "$nj" $place $answer_args
        finish
    fi
}

chat_test_sets() {
    local set
    for set in "${test[@]}"; do
        no_dialogue "$sft/$set" || echo "$set"
        no_dialogue "$sft/${set}_joined" || echo "${set}_joined"
    done
}

chat_done_files() { [[ -z $has_chat ]] || done_files 7 "$chat" decode; }

chat_scores() {  # arguments of `qwen-audio score` for the chat model
    local set
    echo --chat_train $([[ $make_sft == false ]] || echo "${train[@]/#/$sft/}") --chat
    for set in $(chat_test_sets); do echo "$chat/decode/$set:$sft/$set:$feats/${set%_joined}"; done
}
