#!/usr/bin/env bash
# Checks and measures everything that needs a card, in one go, and writes what it prints to one file. It should take
# less than five minutes. Run it in a clone of the project after "npm ci"; it downloads nothing. TensorFlow is checked too if
# "npx eigenae setup tensorflow --cuda" has been run.
# usage: scripts/gpu-check.sh [--out FILE]
#   FILE is gpu-check.txt by default. Send it in, or commit it to bench/results/.
#   EIGENAE_LIBCUDA names the stand-in of native/cuda/emulation: it shows that this script works, on small numbers.
set -uo pipefail
cd "$(dirname "$0")/.."

out=gpu-check.txt
while [ $# -gt 0 ]; do
  case "$1 ${2-}" in
    '--out '?*) out=$2 ;;
    *) sed -n 's/^# \(usage:\|  \)/\1/p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
exec > >(tee "$out") 2>&1

failures=()
step() {
  local name=$1 began=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  "$@" || { failures+=("$name"); printf 'FAILED: %s\n' "$name"; }
  printf '(%s s)\n' $((SECONDS - began))
}
skip() { printf '\n== %s\nskipped: %s\n' "$1" "$2"; }

npm run build >/dev/null || exit 1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
eigenae() { node bin/eigenae.js "$@"; }
# One epoch with an engine of the device cuda: EIGENAE_CUDA's value, the config, the folder.
epoch() {
  EIGENAE_CUDA=$1 eigenae train --config "$2" --epochs 1 --device cuda --quiet --out "$3" "${limits[@]}"
}

# The emulation is some ten thousand times slower than a card.
if [ -n "${EIGENAE_LIBCUDA-}" ]; then
  limits=(--set data.limit=640) bench=(--quick --images 640) tests=()
else
  limits=() bench=(--rounds 3 --out "$scratch/bench") tests=(tests/system/cuda-engine.test.ts tests/system/cuda-queue.test.ts tests/system/cuda-runs.test.ts)
fi

printf '%s, commit %s, node %s\n' "$(date -u +%F)" "$(git rev-parse --short HEAD)" "$(node --version)"
nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total,clocks.max.sm --format=csv || echo 'nvidia-smi does not answer'
step 'doctor' eigenae doctor

# 1. Right?
step 'bytes: the same as in the emulation' node bench/cuda/bytes.mjs
if [ ${#tests[@]} -gt 0 ]; then
  step 'the golden files, and the suite that every engine passes' \
    env EIGENAE_CUDA_TESTS=card CI=true npx vitest run --mode system "${tests[@]}"
fi
for arm in baseline eigen batch-norm; do
  step "one epoch of $arm with the CUDA core" epoch core "configs/$arm.json" "$scratch/$arm-cuda"
  step "the same with the C++ core" eigenae train --config "configs/$arm.json" --epochs 1 --device cpu --quiet \
    --out "$scratch/$arm-cpu" "${limits[@]}"
  step 'the results of both' tail -qn 1 "$scratch/$arm-cuda/metrics.csv" "$scratch/$arm-cpu/metrics.csv"
done
step 'the same bytes again' bash -c 'EIGENAE_CUDA=core node bin/eigenae.js train --config configs/eigen.json --epochs 1 \
  --device cuda --quiet --out "$1/again" "${@:2}" >/dev/null && cmp "$1/eigen-cuda/metrics.csv" "$1/again/metrics.csv"' \
  - "$scratch" "${limits[@]}"

# 2. How fast?
step 'seconds an epoch, of several models at once' node bench/run.mjs --only cuda "${bench[@]}"
step 'a sweep, its runs side by side' eigenae sweep --config configs/sweeps/small.json --device cuda "${limits[@]}" \
  --out "$scratch/sweep"

# 3. Races and addresses. A small network, because the sanitizer is slow.
if command -v compute-sanitizer >/dev/null && [ -z "${EIGENAE_LIBCUDA-}" ]; then
  for tool in memcheck racecheck; do
    step "compute-sanitizer: $tool" env EIGENAE_CUDA=core timeout 100 compute-sanitizer --tool $tool --error-exitcode 1 \
      node bin/eigenae.js train --config configs/eigen.json --epochs 1 --device cuda --quiet --set data.limit=256 \
      --out "$scratch/$tool"
  done
else
  skip 'compute-sanitizer' 'it is not installed, or there is no card'
fi

# 4. TensorFlow
if EIGENAE_CUDA=tensorflow eigenae train --config configs/eigen.json --epochs 1 --set data.limit=64 --device cuda \
  --quiet --out "$scratch/tensorflow-there" >/dev/null 2>&1; then
  step 'TensorFlow: one epoch of eigen' epoch tensorflow configs/eigen.json "$scratch/tensorflow"
  step 'TensorFlow: batch 64, R networks at once' node bench/tensorflow/check.mjs --device cuda --what replicas \
    --steps 200 --replicas 1,8,64
else
  skip 'TensorFlow' 'it is not set up for this card: npx eigenae setup tensorflow --cuda'
fi

if [ ${#failures[@]} -eq 0 ]; then
  printf '\nall right, in %s s\n' $SECONDS
else
  printf '\nfailed:\n'
  printf '  %s\n' "${failures[@]}"
  exit 1
fi
