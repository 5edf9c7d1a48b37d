#!/bin/sh
# Repeats the study of docs/study.md: about a night on two cores. It can be stopped and started again at any time.
#
# usage: configs/study/run.sh [FOLDER]    (the folder for the runs, by default runs/study)
set -eu
cd "$(dirname "$0")/../.."
out=${1:-runs/study}
study=configs/study
eigenae() { node bin/eigenae.js "$@"; }

# 1. The search: 40 trials of each family, trained on 50,000 images and judged by the other 10,000.
eigenae sweep --config $study/search.json --out "$out/search" --resume

# 2. The best config of each family. The script that follows trains it on all images.
mkdir -p "$out/best"
for config in $study/*.json; do
  family=$(basename "$config" .json)
  case $family in search) continue ;; esac
  [ -e "$out/best/$family.json" ] ||
    eigenae best "$out/search/$family",trial-* --metric validation_denoise_mse --out "$out/best/$family.json"
done
