#!/bin/sh
# Repeats the study of docs/study/final.md: about a night on two cores. It can be stopped and started again at any time.
#
# usage: configs/study/run.sh [FOLDER]    (the folder for the runs, by default runs/study)
# To leave out the search, start with its choice: mkdir -p runs/study && cp -r configs/study/best runs/study/best
set -eu
cd "$(dirname "$0")/../.."
out=${1:-runs/study}
study=configs/study
eigenae() { node bin/eigenae.js "$@"; }

# Keeps the values of the runs of some sweeps in docs/study.
# usage: keep NAME SWEEP...
keep() {
  name=$1
  shift
  mkdir -p "docs/study/$name"
  node scripts/study.mjs runs "docs/study/$name/runs.csv" "$out" "$@"
}

# Compares some arms of a sweep, for the pictures. The first one is the baseline.
# usage: compare_arms SWEEP REPORT ARM...
compare_arms() {
  sweep=$out/$1
  report=$sweep-$2
  shift 2
  for arm; do
    set -- "$@" "$sweep/$arm"
    shift
  done
  eigenae compare "$@" --out "$report"
}

# usage: compare_final SWEEP
compare_final() {
  eigenae compare "$out/$1" "$out/$1-author" --baseline "$out/$1/batch-norm" --out "$out/$1-report"
  compare_arms "$1" close batch-norm batch-norm-kl-normal batch-norm-entropy batch-norm-leaky-relu \
    leaky-relu leaky-relu-kl-normal leaky-relu-entropy leaky-relu-top-k latent-entropy latent-top-k all-kl-diagonal
}

# Trains the families' best configs and the four arms of the original experiment with fresh seeds on all images.
# usage: final SWEEP [--set FIELD=VALUE]...
final() {
  name=$1
  shift
  eigenae sweep --config "$out/final.json" --set data.validation=0 "$@" --out "$out/$name" --resume
  eigenae sweep --config configs/sweeps/original.json --seeds 2000-2019 "$@" --out "$out/$name-author" --resume
  compare_final "$name"
  keep "$name" "$name" "$name-author"
}

# Trains the configs in a folder of the study, which change parts of a family's best config.
# usage: why FOLDER FAMILY
why() {
  mkdir -p "$out/$1"
  cp "$study/$1"/*.json "$out/$1"
  cp "$out/best/$2.json" "$out/$1/winner.json"
  eigenae sweep --config "$out/$1/sweep.json" --set data.validation=0 --out "$out/$1/runs" --resume
  eigenae compare "$out/$1/runs" --out "$out/$1/report"
  keep "$1" "$1/runs"
}

# Trains the best config with batch norm and kl-normal without the loss, in the condition of a final.
# usage: without_loss SWEEP CONFIGS [--set FIELD=VALUE]...
without_loss() {
  name=$1
  configs=$2
  shift 2
  eigenae sweep --config "$configs/why-batch-norm/no-loss-only.json" --set data.validation=0 "$@" --out "$out/$name-no-loss" --resume
  eigenae compare "$out/$name/batch-norm-kl-normal" "$out/$name-no-loss/no-loss" "$out/$name/batch-norm" --out "$out/$name-no-loss-report"
  keep "$name" "$name" "$name-author" "$name-no-loss"
}

# 1. The search: 40 trials of each family, trained on 50,000 images and judged by the other 10,000.
if ! [ -e "$out/best/batch-norm.json" ]; then
  eigenae sweep --config $study/search.json --out "$out/search" --resume
  keep search search
fi

# 2. The best config of each family.
mkdir -p "$out/best"
for config in "$study"/*.json; do
  family=$(basename "$config" .json)
  case $family in search | final) continue ;; esac
  [ -e "$out/best/$family.json" ] ||
    eigenae best "$out/search/$family",trial-* --metric validation_denoise_mse --out "$out/best/$family.json"
done
cp $study/final.json "$out/final.json" # names the configs in best/

# 3. The final.
final final
compare_arms final courses batch-norm batch-norm-kl-normal none latent-entropy all-kl-diagonal leaky-relu silu
# The differences from other baselines that the page names.
for baseline in leaky-relu batch-norm-leaky-relu; do
  compare_arms final beside-$baseline $baseline leaky-relu-top-k leaky-relu-entropy leaky-relu-kl-normal
done
eigenae compare "$out/final-author/batch-norm" "$out/final/latent-entropy" --out "$out/final-beside-original"

# 4. Why? The best eigen losses on validation, without and with batch norm, with parts taken out.
why why leaky-relu-kl-normal
why why-batch-norm batch-norm-kl-normal

# 5. Does it last?
for latent in 2 4 32; do final latent-$latent --set "model.widths=[784,128,64,12,$latent]"; done
final noise-0.5 --set data.noise=0.5
final batch-256 --set train.batchSize=256
without_loss latent-32 "$out" --set "model.widths=[784,128,64,12,32]"
without_loss noise-0.5 "$out" --set data.noise=0.5
without_loss batch-256 "$out" --set train.batchSize=256
mkdir -p "$out/long/best" "$out/long/why-batch-norm"
for folder in best why-batch-norm; do
  for file in "$out/$folder"/*.json; do
    sed 's/"epochs": 10/"epochs": 30/' "$file" >"$out/long/$folder/$(basename "$file")" # training and schedules
  done
done
cp $study/final.json "$out/long/final.json"
eigenae sweep --config "$out/long/final.json" --set data.validation=0 --out "$out/epochs-30" --resume
eigenae sweep --config configs/sweeps/original.json --seeds 2000-2019 --set train.epochs=30 --out "$out/epochs-30-author" --resume
compare_final epochs-30
without_loss epochs-30 "$out/long"
# Why is kl-diagonal on all layers better than batch norm with 30 epochs?
mkdir -p "$out/long/why-long"
cp $study/why-long/*.json "$out/long/why-long"
cp "$out/long/best/all-kl-diagonal.json" "$out/long/why-long/winner.json"
eigenae sweep --config "$out/long/why-long/sweep.json" --set data.validation=0 --out "$out/why-long" --resume
keep why-long why-long
eigenae compare "$out/epochs-30/all-kl-diagonal" "$out/why-long" "$out/epochs-30/batch-norm" --out "$out/why-long-report"

# 6. The tables of the pages.
node scripts/study.mjs
