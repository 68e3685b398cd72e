#!/usr/bin/env bash
# From raw corpora to a scored audio language model, in stages; called in a recipe folder, by its run.sh.
#   ./run.sh                                 every stage; again: goes on where it was broken off
#   ./run.sh --stage 4 --stop_stage 5        these stages; what they build on must be there
#   ./run.sh --tag low_lr --train_args "..." another model from the same data; beside a run on another GPU as well
#   ./run.sh --tag mine --train_set my_train --valid_set my_valid --test_sets "my_test1 my_test2"
#                                            your own Kaldi data directories, data/my_train and so on; with
#                                            --train_set alone nothing is validated, decoded or scored
#   ./run.sh --eval_model ../multitask/exp/pretrain_default
#                                            decode and score with a trained model: only the test sets are needed;
#                                            exp/pretrain_eval_NAME/decode/SET/, results_eval_NAME/
# Stages and what they write:
#   0  prepare and check data                data/SET/
#   1  format audio, extract features        dump/FEATS_TYPE/SET/
#   2  tokenizer; tags and tokens            exp/tokenizer/, dump/tokens/SET/
#   3  statistics of sets and batches        exp/stats_TAG/
#   4  multi-task pre-training               exp/pretrain_TAG/
#   5  average the checkpoints               exp/pretrain_TAG/model.safetensors, config.yaml
#   6  fine-tuning for chat (conf/sft.yaml)  dump/sft/SET/, dump/tokens_sft/SET/, exp/sft_TAG/
#   7  decode the test sets                  exp/pretrain_TAG/decode/SET/, exp/sft_TAG/decode/SET/
#   8  score                                 RESULTS.md, results.json; of another tag than default in results_TAG/
#   9  pack for ESPnet (--skip_packing false) exp/pretrain_TAG/packed/model.tar, exp/sft_TAG/packed/model.tar
# Where --pretrain_config or --train_args give another decoder than conf/pretrain.yaml, or a model to start from, stage 2
# writes exp/tokenizer_NAME/ and dump/tokens_NAME/SET/ for it; with other --tasks than run.sh has, dump/tokens_TASKS/SET/.
# Before anything else the Python environment is made (tools/setup.sh), and the backbones that the training
# config names as tools/backbones/NAME. Seconds of each stage: exp/times_TAG.json.
# shellcheck disable=SC2013,SC2046,SC2086  # names of sets and files have no blanks; arguments are to be split
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
called="cd ${PWD#"$root/"} && ../../recipes/audio_llm.sh$(printf ' %q' "$@")"
given=("$@")

# Options
stage=0                # first stage
stop_stage=9           # last stage
skip_data_prep=false   # true: not stages 0 to 2
skip_train=false       # true: not stages 3 to 5
skip_sft=false         # true: not stage 6
skip_eval=false        # true: not stages 7 and 8
skip_packing=true      # false: stage 9
preset=default         # default: minutes on a CPU; full: more data, and conf/pretrain_full.yaml
corpora=               # what local/data.sh prepares, such as "asterisk fillets"; left alone with --train_set
corpus=                # folder where the corpus lies already (of one corpus); empty: it is fetched
train_set=             # training sets under data/; empty: those of the corpora
valid_set=             # validation sets; empty: those of the corpora, with --train_set none
test_sets=             # test sets; empty: those of the corpora, with --train_set none
tasks=                 # tasks to train and decode, such as "asr lid"; empty: all that the data have
feats_type=raw         # raw: audio; fbank: log-mel features in ark files
audio_format=flac      # of formatted audio: flac, or wav.ark (few large files)
nj=$(nproc)            # processes of data preparation
pretrain_config=       # training config; empty: conf/pretrain.yaml, of --preset full conf/pretrain_full.yaml
train_args=            # further arguments of `qwen-audio train`: --override, --init; the tokenizer is made by them too
sft_config=conf/sft.yaml # fine-tuning config; where there is no such file, stage 6 is left out
sft_train=             # folders with dialogues of your own (dialogues.jsonl), to fine-tune on as well
sft_valid=             # likewise, to validate on
make_sft=true          # false: fine-tune on --sft_train alone, and on no dialogues made of the labels
make_sft_args=         # further arguments of `qwen-audio make_sft`, such as "--langs en"; no --source or --count for test sets
sft_args=              # further arguments of `qwen-audio train` in stage 6
sft_tag=               # name of the chat model, exp/sft_TAG; empty: the tag, --sft_train, --make_sft false and --sft_args
answer_args=           # further arguments of `qwen-audio answer`
tag=                   # name of the model, exp/pretrain_TAG; empty: from the config and --train_args
ngpu=                  # GPUs to train on, and to decode a test set on each; 0: CPU; empty: 1 where torch can use one
num_nodes=1            # machines to train on; above 1 with --stage 4 --stop_stage 4 alone, the same command on each
master=                # HOST:PORT of the first of several machines, the same on each
eval_model=            # folder of a trained or imported model: prepare test sets, decode and score, train nothing
inference_config=      # decoding config; empty: conf/decode.yaml, or that of --eval_model, where there is one, else greedy search
inference_args=        # further arguments of `qwen-audio decode`, such as "--dtype float32", where on a GPU it is auto
whisper=tools/backbones/whisper-tiny.en  # Whisper that the ASR clips are decoded with for comparison, or none
word_heads=            # what times the words of the test sets, see `qwen-audio time_words --help`; empty: nothing
word_args=             # further arguments of `qwen-audio time_words`, such as "--dtype bfloat16", where on a CPU it is float32
ablate=                # srwt: the same without that task as well, and both side by side in without_srwt/
without=               # a task to leave out
dumpdir=dump           # formatted and tokenized sets
expdir=exp             # models, decoded text
# End of options
. "$root/recipes/parse_options.sh"
one_of preset default full
one_of feats_type raw fbank
one_of audio_format flac wav.ark
number_or_nothing ngpu
. "$root/recipes/stages.sh"
. "$root/recipes/names.sh"
"$root/tools/setup.sh"
# shellcheck source=egs/multitask/path.sh
. ./path.sh

[[ -n $corpora || -n $train_set || -n $eval_model && -n $test_sets ]] || die "nothing to train on: name --corpora, or sets of your own with --train_set"
[[ $preset == full ]] && default_config=conf/pretrain_full.yaml || default_config=conf/pretrain.yaml
config=${pretrain_config:-$default_config}
[[ -n $inference_config || ! -f conf/decode.yaml ]] || inference_config=conf/decode.yaml
ngpu=${ngpu:-$(usable_gpus)}
((ngpu)) && device=cuda place='--device cuda --dtype auto' || device=cpu place='--device cpu'
name=$(basename "$config" .yaml | sed -E 's/^(pretrain|train)(_|$)//')
tag=${tag:-${name:-default}$(as_name "$train_args")}
both=$([[ -n $eval_model ]] || tokenizer_and_start)
other=${both%|*} start=${both#*|} own=${other:+_${other##*/}}
feats=$dumpdir/$feats_type tokens=$dumpdir/tokens$own$(own_tasks) stats=$expdir/stats_$tag model=$expdir/pretrain_$tag
[[ $make_sft == true ]] && own_alone='' || own_alone=alone
chat=$expdir/sft_${sft_tag:-$tag$(as_name "$own_alone $sft_train $sft_args")}
. "$root/recipes/ablate.sh"
((num_nodes == 1 || stage == 4 && stop_stage == 4)) ||
    die "--num_nodes $num_nodes is for --stage 4 --stop_stage 4; run the stages before and after on one machine, without it"
((num_nodes == 1)) || [[ -n $master ]] || die "--num_nodes $num_nodes needs --master HOST:PORT, the first machine and a free port of it"
[[ -z $ablate || $ablate == srwt ]] || die "--ablate is '$ablate'; the tables 4 and 5 that it makes are of srwt"

for folder in $sft_train $sft_valid; do
    [[ -s $folder/dialogues.jsonl ]] || die "no dialogue in $folder/dialogues.jsonl; --sft_train and --sft_valid take folders with one"
done
[[ $make_sft == true || -n $sft_train ]] || die "--make_sft false leaves no dialogue to fine-tune on; name some of your own with --sft_train"
if [[ $feats_type == fbank ]]; then
    [[ -z $word_heads && $whisper == none && ($skip_sft == true || ! -f $sft_config) ]] ||
        log "--feats_type fbank: no chat model, no --word_heads and no --whisper, which hear audio, not features"
    skip_sft=true word_heads='' whisper=none
fi

# The part of the config that decides on the tokenizer; the config with its includes; the search; the backbones that are named.
tokenizer_part=$(config_json "$config" decoder decoder_conf init tokenizer_conf)${other:+|$other}
[[ -z $without ]] || leave_out
weights=$model made=$model/.done5 tokenizer=$expdir/tokenizer$own
[[ -z $eval_model ]] || take_model
name_results
whole=$(config_json "$config")
search=$([[ -z $inference_config ]] || config_json "$inference_config" beam_size ctc_weight length_bonus max_new_tokens tasks)
named=$([[ -n $eval_model ]] || config_json "$config" $train_args)  # a trained folder holds its own
for name in $(grep -oE 'tools/backbones/[A-Za-z0-9._-]+' <<< "$named $whisper $word_heads" | sort -u); do
    [[ -e $root/$name/SOURCE.json ]] || python "$root/tools/backbones.py" "${name##*/}"
done

read_sets  # the arrays train, valid and test: of the options, else of data/sets.json
if [[ -n $corpora && -z $train_set ]]; then
    prepared=data own_sets=''
    for set in "${train[@]}" "${valid[@]}" "${test[@]}"; do [[ -d data/$set ]] || rm -f data/.done0; done
else  # nothing is made in data/, and what was made there stays done
    prepared=$model own_sets=$(data_files "${train[@]}" "${valid[@]}" "${test[@]}")
fi
wanted="$corpora|$corpus|$preset|$train_set|$valid_set|$test_sets"
test_only=$([[ -z $eval_model || -z $corpora ]] || was_done 0 "$prepared" "$wanted" $own_sets || echo true)
if begin 0 "$prepared" "data of ${train_set:-${corpora:-$test_sets}}" "$wanted${test_only:+|test_only}" $own_sets; then
    qwen-audio config "$config" $([[ -n $eval_model ]] || echo "$train_args") >/dev/null  # a typo is found before anything is fetched
    for name in $([[ -n $train_set ]] || echo "$corpora"); do
        local/data.sh --corpus_name "$name" ${corpus:+--corpus "$corpus"} --preset "$preset" --downloads downloads ${test_only:+--test_only true}
    done
    read_sets
    ((!${#train[@]})) || qwen-audio check_leak --train "${train[@]/#/data/}" --test "${valid[@]/#/data/}" "${test[@]/#/data/}" \
        ${train_set:+--may_share_sentences}
    finish
else
    read_sets  # another run may have made them meanwhile
fi
[[ -n $eval_model ]] || ((${#train[@]})) ||
    die "no training set in data/sets.json: run stage 0, name sets of your own with --train_set, or a trained model with --eval_model"

for set in "${train[@]}" "${valid[@]}" "${test[@]}"; do
    longer=$([[ " ${test[*]} " != *" $set "* ]] || echo --cut_longer)  # all test clips count in the paper's scores
    if begin 1 "$feats/$set" "audio of $set" "$audio_format$longer" $(data_files "$set"); then
        qwen-audio prepare "data/$set" "$feats/$set" --feats_type "$feats_type" --audio_format "$audio_format" $longer --nj "$nj"
        finish
    fi
done

if [[ -z $eval_model ]] && begin 2 "$tokenizer" "tokenizer" "$tokenizer_part" $(done_files 1 "$feats" "${train[@]}") $(start_tokenizer); then
    qwen-audio tokenizer --config "$config" --train "${train[@]/#/$feats/}" $train_args --out "$tokenizer"
    finish
fi
[[ -z $tasks ]] || keep_sets_of_tasks
forms=$(task_json prompt target optional kinds)
for set in "${train[@]}" "${valid[@]}" "${test[@]}"; do
    if begin 2 "$tokens/$set" "tags and tokens of $set" "$tasks|$forms" "$feats/$set/.done1" "$tokenizer"/*; then
        qwen-audio tokenize "$feats/$set" "$tokens/$set" --tokenizer "$tokenizer" ${tasks:+--tasks $tasks}
        finish
    fi
done

((ngpu)) && allocator='' || allocator=$(allocator)
tokenized=$(done_files 2 "$tokens" "${train[@]}" "${valid[@]}")
if begin 3 "$stats" "statistics" "$whole|$train_args" $tokenized; then
    qwen-audio stats --config "$config" --train "${train[@]/#/$tokens/}" --valid "${valid[@]/#/$tokens/}" \
        --output "$stats" $train_args
    finish
fi

if begin 4 "$model" "pre-training of $model" "$whole|$train_args$(stamp "$start")" $tokenized; then
    LD_PRELOAD=$allocator $(launch train) --config "$config" --train "${train[@]/#/$tokens/}" --valid "${valid[@]/#/$tokens/}" \
        --output "$model" --ngpu "$ngpu" $(read_ahead "$config") $train_args
    finish
fi

if begin 5 "$model" "average of $model" "" "$model/.done4"; then
    qwen-audio average "$model"
    finish
fi

. "$root/recipes/sft.sh"
if [[ -n $eval_model ]]; then :
elif [[ -f $sft_config ]]; then fine_tune
elif asked_for 6; then log "stage 6: fine-tuning for chat is not configured, there is no $sft_config: left out"; fi

if asked_for 7 && [[ -z $eval_model ]]; then  # what decoding and other commands search by, if not told otherwise
    for name in "$model" "$chat"; do
        if [[ -n $search && -d $name ]]; then echo "$search" > "$name/decode.yaml"; else rm -f "$name/decode.yaml"; fi
    done
fi
if ((!${#test[@]})); then
    if asked_for 7 || asked_for 8; then log "no test sets: nothing is decoded or scored"; fi
    skip_eval=true
fi
undecoded=() longest=$(task_json max_new_tokens)
for set in "${test[@]}"; do
    if begin 7 "$model/decode/$set" "decode $set" "$inference_args$(stamp "$eval_model")|$longest" "$made" "$tokens/$set/.done2" $inference_config; then
        undecoded+=("$tokens/$set")
        put_off
    fi
done
if ((${#undecoded[@]})); then
    LD_PRELOAD=$allocator decode ${inference_config:+--config "$inference_config"} $inference_args
    finish_all
fi
decoded=$(for set in "${test[@]}"; do echo "$model/decode/$set:$feats/$set"; done)
if [[ -n $word_heads ]] && begin 7 "$model/decode" "word times" "$word_heads|$word_args" "$made" $(done_files 7 "$model/decode" "${test[@]}") \
    $(done_files 1 "$feats" "${valid[@]}" "${test[@]}") $inference_config; then
    LD_PRELOAD=$allocator qwen-audio time_words --heads $word_heads --model "$weights" --decoded $decoded \
        $(with_task srwt --pick_on "${valid[@]}") $place --num_threads "$nj" \
        ${inference_config:+--config "$inference_config"} $word_args
    finish
fi
has_chat=$([[ $skip_sft == true || ! -f $chat/.done6 || -z ${chat_train[*]} || -z $(chat_test_sets) ]] || echo true)
[[ -z $has_chat ]] || answer

if begin 8 "$model" "score" "$whisper|$(task_json metrics baseline)|${SPICE_JARS:-}|$(command -v java || true)" $(done_files 7 "$model/decode" "${test[@]}" ${word_heads:+.}) $(chat_done_files) $(done_files 1 "$feats" "${train[@]}" "${test[@]}"); then
    [[ $whisper != tools/* ]] || whisper=$root/$whisper
    qwen-audio score --results "${results:-.}" ${train:+--train "${train[@]/#/$feats/}"} --about "$times" --made_by "$(made_by)" \
        --decoded $decoded --tasks $tasks \
        $([[ -z $has_chat ]] || chat_scores) $([[ $whisper == none ]] || echo --whisper "$whisper" --num_threads "$nj" --device "$device")
    finish
fi

[[ -z $ablate ]] || compare

pack "$weights" "$model" "$made"
[[ $skip_sft == true || ! -f $chat/.done6 ]] || pack "$chat" "$chat" "$chat/.done6"
