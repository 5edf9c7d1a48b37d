#!/bin/sh
# Makes the runs of docs/study/confirmation.md, 1,400 in all, and writes their values, pictures and tables. It can be stopped
# and started again at any time; completed runs are not trained again.
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
  eigenae sweep --config "configs/study/confirmation/$name/sweep.json" --device cpu --out "$out/$name" --resume
  eigenae compare "$out/$name" --out "$out/report-$epochs"
  eigenae compare "$out/$name" --scheme dark --out "$out/report-$epochs/dark"
  mkdir -p "$docs/$name"
  cp "$out/report-$epochs/differences.svg" "$docs/$name/differences.svg"
  cp "$out/report-$epochs/dark/differences.svg" "$docs/$name/differences-dark.svg"
  node scripts/study.mjs runs "$docs/$name/runs.csv" "$out" "$name"
done
[ "$1" != 10 ] || node scripts/study.mjs courses $docs/courses.csv "$out" epochs-10
node scripts/study.mjs
