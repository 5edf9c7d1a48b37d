#!/bin/sh
# Repeats the study of docs/study.md: about a night on two cores. It can be stopped and started again at any time.
#
# usage: configs/study/run.sh [FOLDER]    (the folder for the runs, by default runs/study)
# To leave out the search, start with its choice: mkdir -p runs/study && cp -r configs/study/best runs/study/best
set -eu
cd "$(dirname "$0")/../.."
out=${1:-runs/study}
study=configs/study
eigenae() { node bin/eigenae.js "$@"; }

# 1. The search: 40 trials of each family, trained on 50,000 images and judged by the other 10,000.
[ -e "$out/best/batch-norm.json" ] || eigenae sweep --config $study/search.json --out "$out/search" --resume

# 2. The best config of each family. The script that follows trains it on all images.
mkdir -p "$out/best"
for config in $study/*.json; do
  family=$(basename "$config" .json)
  case $family in search | final) continue ;; esac
  [ -e "$out/best/$family.json" ] ||
    eigenae best "$out/search/$family",trial-* --metric validation_denoise_mse --out "$out/best/$family.json"
done

# 3. The final: fresh seeds, all images. `final.json` names the configs of step 2.
cp $study/final.json "$out/final.json"
final() {
  name=$1
  shift
  eigenae sweep --config "$out/final.json" --set data.validation=0 "$@" --out "$out/$name" --resume
  eigenae sweep --config configs/sweeps/arms.json --seeds 2000-2019 "$@" --out "$out/$name-author" --resume
  eigenae compare "$out/$name" "$out/$name-author" --baseline "$out/$name/batch-norm" --out "$out/$name-report"
}
final final

# 4. Why? The eigen loss without batch norm that is best on validation, with each of its parts taken out.
mkdir -p "$out/why"
cp $study/why/*.json "$out/why"
cp "$out/best/leaky-relu-kl-normal.json" "$out/why/winner.json"
eigenae sweep --config "$out/why/sweep.json" --set data.validation=0 --out "$out/why/runs" --resume
eigenae compare "$out/why/runs" --out "$out/why/report"

# 5. Does it last?
for latent in 2 4 32; do final latent-$latent --set "model.widths=[784,128,64,12,$latent]"; done
final noise-0.5 --set data.noise=0.5
final batch-256 --set train.batchSize=256
mkdir -p "$out/long/best"
for config in "$out"/best/*.json; do
  sed 's/"epochs": 10/"epochs": 30/' "$config" >"$out/long/best/$(basename "$config")" # training and schedules
done
cp $study/final.json "$out/long/final.json"
eigenae sweep --config "$out/long/final.json" --set data.validation=0 --out "$out/epochs-30" --resume
eigenae sweep --config configs/sweeps/arms.json --seeds 2000-2019 --set train.epochs=30 --out "$out/epochs-30-author" --resume
eigenae compare "$out/epochs-30" "$out/epochs-30-author" --baseline "$out/epochs-30/batch-norm" --out "$out/epochs-30-report"
