#!/bin/sh
# Repeats the study of docs/study.md: about a night on two cores. It can be stopped and started again at any time.
#
# usage: configs/study/run.sh [FOLDER]    (the folder for the runs, by default runs/study)
set -eu
cd "$(dirname "$0")/../.."
out=${1:-runs/study}
study=configs/study
eigenae() { node bin/eigenae.js "$@"; }

# 1. The search: 40 trials of each family on 50,000 images, judged by the other 10,000.
eigenae sweep --config $study/search.json --out "$out/search" --resume

# 2. The best config of each family, without its validation images.
mkdir -p "$out/best"
for config in $study/*.json; do
  family=$(basename "$config" .json)
  [ "$family" = search ] || [ "$family" = final ] && continue
  [ -e "$out/best/$family.json" ] ||
    eigenae best "$out/search/$family",trial-* --metric validation_denoise_mse --out "$out/best/$family.json"
done
