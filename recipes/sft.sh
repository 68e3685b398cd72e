# shellcheck shell=bash disable=SC2046,SC2086,SC2154  # options and sets are the script's; names have no blanks
# Sourced by audio_llm.sh: stage 6, fine-tuning for chat, and how the chat model is decoded and scored.
# Dialogues: dump/sft/SET (of a test set at most 30 questions of a kind and language, and in SET_joined several
# recordings a dialogue), dump/tokens_sft/SET (tokens_sft_NAME as in stage 2). The model: exp/sft_TAG, and the dialogues
# it answered in exp/sft_TAG/decode/SET.

sft=$dumpdir/sft sft_tokens=$dumpdir/tokens_sft$own chat=$expdir/sft_$tag

fine_tune() {
    local set text=$root/recipes/chat/instructions.jsonl
    phrasings=$(task_json chat)
    for set in "${train[@]}"; do
        make_dialogues "$set" "$set" ${text:+--text "$text"}
        text=''  # once is enough
    done
    for set in "${valid[@]}"; do make_dialogues "$set" "$set" --count 6; done
    for set in "${train[@]}" "${valid[@]}"; do
        if begin 6 "$sft_tokens/$set" "tokens of the dialogues of $set" "" "$sft/$set/.done6" "$tokenizer"/*; then
            qwen-audio tokenize "$sft/$set" "$sft_tokens/$set" --tokenizer "$tokenizer"
            finish
        fi
    done
    if begin 6 "$chat" "fine-tuning of $chat" "$(config_json "$sft_config")|$sft_args" "$model/.done5" \
        $(done_files 6 "$sft_tokens" "${train[@]}" "${valid[@]}"); then
        LD_PRELOAD=$allocator $(launch train) --config "$sft_config" --init "$model" --train "${train[@]/#/$sft_tokens/}" \
            --valid "${valid[@]/#/$sft_tokens/}" --output "$chat" --ngpu "$ngpu" $sft_args
        qwen-audio average "$chat"
        if grep -q '"max_gb"' <<< "$(config_json "$sft_config" frame_cache)"; then  # what it saves, for RESULTS.md
            LD_PRELOAD=$allocator python "$root/tools/bench/frame_cache.py" --config "$sft_config" --model "$model" \
                --sets "${train[@]/#/$sft_tokens/}" --steps 6 --json "$chat/frame_cache.json" \
                --device "$device" --num_threads "$nj"
        fi
        finish
    fi
    for set in "${test[@]}"; do
        make_dialogues "$set" "$set" --source template --count 30
        make_dialogues "$set" "${set}_joined" --source joined --count 12
    done
}

make_dialogues() {  # make_dialogues SET NAME ARGUMENT...: dump/sft/NAME from the labels of SET
    if begin 6 "$sft/$2" "dialogues of $2" "$make_sft_args|${*:3}|$phrasings" "$feats/$1/.done1" "$root"/recipes/chat/*; then
        qwen-audio make_sft --data "$feats/$1" --out "$sft/$2" "${@:3}" $make_sft_args
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

chat_test_sets() { for set in "${test[@]}"; do printf '%s\n' "$set" "${set}_joined"; done; }

chat_done_files() { [[ -z $has_chat ]] || done_files 7 "$chat" decode; }

chat_scores() {  # arguments of `qwen-audio score` for the chat model
    local set
    echo --chat_train "${train[@]/#/$sft/}" --chat
    for set in $(chat_test_sets); do echo "$chat/decode/$set:$sft/$set:$feats/${set%_joined}"; done
}
