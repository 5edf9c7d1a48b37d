#!/usr/bin/env bash
# Checks and measures everything of the TensorFlow engine that needs a card, in one go. Run it in a clone of the project
# after "npm ci" and "npx eigenae setup tensorflow --cuda"; send in what it prints.
# usage: scripts/gpu-check.sh [--device cuda|tensorflow-cpu] [--steps N] [--replicas 1,8,64,256]
#   tensorflow-cpu needs no card: it shows that this script works.
set -uo pipefail
cd "$(dirname "$0")/.."

device=cuda steps=200 replicas=1,8,64,256
while [ $# -gt 0 ]; do
  case "$1 ${2-}" in
    '--device cuda' | '--device tensorflow-cpu') device=$2 ;;
    '--steps '[1-9]*) steps=$2 ;;
    '--replicas '[1-9]*) replicas=$2 ;;
    *) sed -n 's/^# \(usage:\|  \)/\1/p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done

failures=()
step() {
  local name=$1
  shift
  printf '\n== %s\n' "$name"
  "$@" || { failures+=("$name"); printf 'FAILED: %s\n' "$name"; }
}
check() { node bench/tensorflow/check.mjs --device "$device" "$@"; }

npm run build >/dev/null || exit 1
printf '%s, node %s, device %s\n' "$(date -u +%F)" "$(node --version)" "$device"
if [ "$device" = cuda ]; then
  step 'the card' nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total --format=csv
  step 'doctor' node bin/eigenae.js doctor
fi

cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
step 'first start: nothing compiled for this card yet' env CUDA_CACHE_PATH="$cache" \
  node bench/tensorflow/check.mjs --device "$device" --what start
step 'second start' env CUDA_CACHE_PATH="$cache" node bench/tensorflow/check.mjs --device "$device" --what start
step 'the golden files, and the suite that every engine passes' env EIGENAE_TENSORFLOW_DEVICE="$device" CI=true \
  npx vitest run --mode system tests/system/tensorflow-engine.test.ts tests/system/tensorflow-state.test.ts \
  tests/system/tensorflow-replicas.test.ts
step "batch 64, R networks at once, $steps steps" check --what replicas --steps "$steps" --replicas "$replicas"
step 'one epoch of the eigen arm on MNIST' node bin/eigenae.js train --config configs/eigen.json --epochs 1 \
  --device "$device" --out "$cache/run"
if [ "$device" = cuda ]; then
  step 'auto takes the card' bash -c 'node bin/eigenae.js train --config configs/eigen.json --epochs 1 --quiet \
    --out "$1" >/dev/null && grep "\"device\": \"cuda\"" "$1/run.json"' - "$cache/auto"
  step 'a sweep, two runs at once on a card' node bin/eigenae.js sweep --config configs/sweeps/small.json \
    --device cuda --jobs-per-gpu 2 --out "$cache/sweep"
fi
step 'the same bytes again' bash -c 'node bin/eigenae.js train --config configs/eigen.json --epochs 1 --quiet \
  --device "$1" --out "$2/again" >/dev/null && cmp "$2/run/metrics.csv" "$2/again/metrics.csv"' - "$device" "$cache"

if [ ${#failures[@]} -eq 0 ]; then
  printf '\nall right\n'
else
  printf '\nfailed:\n'
  printf '  %s\n' "${failures[@]}"
  exit 1
fi
