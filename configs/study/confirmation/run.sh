#!/bin/sh
# Makes the runs of docs/study/confirmation.md, 1,400 in all, and writes their values, pictures and tables. It can be stopped
# and started again at any time; completed runs are not trained again.
#
# To train the rest elsewhere, keep the values of the runs of a half that is not complete, and commit that file:
#   node scripts/study.mjs runs docs/study/confirmation/epochs-30/part.csv runs/confirmation epochs-30
# The script then trains only the other seeds. It draws no pictures of such a half, which need the folders of all runs.
#
# usage: configs/study/confirmation/run.sh [FOLDER [EPOCHS…]]    (by default runs/confirmation 10 30)
set -eu
cd "$(dirname "$0")/../../.."
out=${1:-runs/confirmation}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- 10 30
docs=docs/study/confirmation
eigenae() { node bin/eigenae.js "$@"; }

for epochs; do
  name=epochs-$epochs
  part=$docs/$name/part.csv
  mkdir -p "$docs/$name"
  seeds=$(node scripts/study.mjs missing "$part" 6000 6099)
  [ -z "$seeds" ] || eigenae sweep --config "configs/study/confirmation/$name/sweep.json" --seeds "$seeds" --device cpu --out "$out/$name" --resume
  if [ ! -e "$part" ]; then
    eigenae compare "$out/$name" --out "$out/report-$epochs"
    eigenae compare "$out/$name" --scheme dark --out "$out/report-$epochs/dark"
    cp "$out/report-$epochs/differences.svg" "$docs/$name/differences.svg"
    cp "$out/report-$epochs/dark/differences.svg" "$docs/$name/differences-dark.svg"
  fi
  node scripts/study.mjs runs "$part" "$out" "$name"
  mv "$part" "$docs/$name/runs.csv"
done
[ "$1" != 10 ] || node scripts/study.mjs courses $docs/courses.csv "$out" epochs-10
node scripts/study.mjs
