# shellcheck shell=bash disable=SC2034,SC2046,SC2086,SC2154,SC2206  # options and sets are the script's
# Sourced by audio_llm.sh: the same recipe without one task, and both side by side, as the paper's tables 4 and 5.
#   --without srwt   leaves a task out: model exp/pretrain_TAG_no_srwt, scores in without_srwt/ below those of the whole
#   --ablate srwt    all of the recipe, then that, then without_srwt/report.md

leave_out() {  # what differs without $without: the task weights, the tokens, and what is made of them
    local all
    all=$(basename -s .yaml "$root"/recipes/tasks/*.yaml $(compgen -G 'tasks/*.yaml'))
    tasks=$(printf '%s\n' ${tasks:-$all} | grep -vx "$without" | paste -sd ' ') ||
        die "--without $without leaves no task"
    mkdir -p "$expdir"
    qwen-audio config "$config" $train_args --without "$without" > "$expdir/no_${without}_$tag.yaml.new"
    config=$expdir/no_${without}_$tag.yaml
    mv "$config.new" "$config"
    tag=${tag}_no_$without tokens=${tokens}_no_$without stats=${stats}_no_$without
    model=$expdir/pretrain_$tag
    skip_sft=true word_heads=''
}

compare() {
    "$root/recipes/audio_llm.sh" "${given[@]}" --ablate '' --without "$ablate" --whisper none
    if begin 8 "${model}_no_$ablate/report" "report with and without $ablate" "" "$model/.done8" "${model}_no_$ablate/.done8"; then
        qwen-audio report "${results}results.json" --without_srwt "${results}without_$ablate/results.json" --output "${results}without_$ablate"
        finish
    fi
}
