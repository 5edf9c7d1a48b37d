#!/usr/bin/env bash
# Trains no eigen loss, a weak and a strong one with three seeds each, and writes a table and a report.
#
# usage: examples/sweep.sh [FOLDER] [option of sweep …]
#   examples/sweep.sh                                  # into runs/weights
#   examples/sweep.sh /data/weights --seeds 0-9        # ten seeds
#
# Repeat the command after an interruption, or with more seeds: complete runs are kept.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-runs/weights}
shift $(($# > 0 ? 1 : 0))

eigenae sweep --config "$here/weights.json" --out "$folder" --resume "$@"
eigenae runs "$folder" --csv > "$folder/runs.csv"
eigenae compare "$folder" --out "$folder/comparison"
echo "table: $folder/runs.csv, report: $folder/comparison/report.html"
