#!/usr/bin/env bash
# Checks and measures everything that needs a card, and writes what it prints to one file.
# usage: scripts/gpu-check.sh [--only STEPS] [--out FILE]
#   STEPS is a list with commas; all steps by default. None takes more than nine minutes.
#     first contact, which needs g++ and NVIDIA's driver, but neither Node nor a download:
#       bytes      the bytes of trainings, against those of the emulation
#       times      microseconds a step of 1, 4 and 10 models, with and without an eigen loss
#       phases     cycles of each phase of a step
#       sanitizer  the four tools of compute-sanitizer, if it is installed
#       ncu        a profile of the kernel, if Nsight Compute is installed
#       peer       the same training in JAX, vmap over 1 and 64 models, if Python has JAX
#     with Node, after "npx eigenae setup cuda" (a download of 23 MB), which follows "npm ci":
#       doctor, bench, sweep
#       engine, queue, runs  the tests of the device cuda; engine compiles a kernel for each network of the golden files
#       node-bytes           the bytes of trainings from Node, against those of the emulation
#       epochs               an epoch of three arms with the CUDA core and with the C++ core
#       tensorflow           after "npx eigenae setup tensorflow --cuda"
#   FILE is gpu-check.txt by default; a second call adds to it. Send it in, or commit it to bench/results/.
#   EIGENAE_LIBCUDA names the stand-in of native/cuda/emulation: it shows that this script works, on small numbers.
set -uo pipefail
cd "$(dirname "$0")/.."

out=gpu-check.txt
only=bytes,times,phases,sanitizer,ncu,peer,doctor,node-bytes,engine,queue,runs,epochs,bench,sweep,tensorflow
known=,$only,
usage() { sed -n '/^# usage/,/^set /s/^# \{0,1\}//p' "$0" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case "$1 ${2-}" in
    '--out '?*) out=$2 ;;
    '--only '?*) only=$2 ;;
    *) usage ;;
  esac
  shift 2
done
for name in ${only//,/ }; do
  case "$known" in *",$name,"*) ;; *) printf 'gpu-check.sh: there is no step %s\n' "$name" >&2; usage ;; esac
done
exec > >(tee -a "$out") 2>&1

failures=()
minutes=9
step() {
  local name=$1 began=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  "$@" || { failures+=("$name"); printf 'FAILED: %s\n' "$name"; }
  printf '(%s s)\n' $((SECONDS - began))
}
skip() { printf '\n== %s\nskipped: %s\n' "$1" "$2"; }
wanted() { begun=$SECONDS; case ",$only," in *",$1,"*) ;; *) return 1 ;; esac; }
# Runs a command until the minutes since the step was begun are over. A limit of 0 would be none.
limited() { local left=$((minutes * 60 - SECONDS + begun)); timeout $((left > 0 ? left : 1)) "$@"; }
there() { command -v "$1" >/dev/null; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
card=$scratch/card
stand_in=${EIGENAE_LIBCUDA-}

printf '%s, commit %s\n' "$(date -u +%F)" "$(git rev-parse --short HEAD)"
nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total,clocks.max.sm --format=csv || echo 'nvidia-smi does not answer'

build_card() {
  g++ -std=c++20 -O2 -pthread -Inative -o "$card" bench/cuda/card.cc native/formulas/tape.cc \
    native/core/{codec,layout,optimizer_step}.cc native/cuda/host/{card,driver,kernel,launches,library,model,plan}.cc -ldl
}

# --- First contact ---

first_contact() {
  wanted bytes && step 'bytes: the same as in the emulation' limited "$card" bytes "${few[@]}"
  wanted times && step 'times of 1, 4 and 10 models' limited "$card" times --arms none,eigen "${steps[@]}"
  wanted phases && step 'cycles of the phases' limited "$card" phases --arms none,eigen "${steps[@]}"
  if wanted sanitizer; then
    if there compute-sanitizer && [ -z "$stand_in" ]; then
      for tool in memcheck racecheck synccheck initcheck; do
        step "compute-sanitizer: $tool" timeout 130 compute-sanitizer --tool $tool --error-exitcode 9 \
          "$card" bytes --arms eigen --models 1
      done
    else
      skip sanitizer 'compute-sanitizer is not installed, or there is no card'
    fi
  fi
  if wanted ncu; then
    if there ncu && [ -z "$stand_in" ]; then
      step 'ncu: the kernel with 4 models' limited ncu --set full --clock-control none -k train -s 1 -c 1 \
        "$card" times --arms eigen --models 4 --steps 20
    else
      skip ncu 'Nsight Compute is not installed, or there is no card'
    fi
  fi
  if wanted peer; then
    if python3 -c 'import jax' 2>/dev/null && [ -z "$stand_in" ]; then
      for eigen in 0 1; do
        step "JAX, eigen loss $eigen" env EIGEN=$eigen timeout 250 python3 bench/cuda/peer.py 1 64
      done
    else
      skip peer 'Python has no JAX (pip install "jax[cuda12]"), or there is no card'
    fi
  fi
}

few=() steps=()
[ -n "$stand_in" ] && few=(--arms none,eigen --models 1,2) steps=(--models 1,2 --steps 3)
for name in bytes times phases sanitizer ncu peer; do
  wanted $name || continue
  if build_card; then
    first_contact
  else
    failures+=('the build of bench/cuda/card.cc')
  fi
  break
done

# --- With Node ---

with_node() {
  local limits=() bench=(--rounds 3 --out "$scratch/bench")
  # The emulation is some ten thousand times slower than a card.
  [ -n "$stand_in" ] && limits=(--set data.limit=640) bench=(--quick --images 640)
  eigenae() { limited node bin/eigenae.js "$@"; }
  # One epoch with an engine of the device cuda: EIGENAE_CUDA's value, the config, the folder.
  epoch() {
    EIGENAE_CUDA=$1 eigenae train --config "$2" --epochs 1 --device cuda --quiet --out "$3" "${limits[@]}"
  }

  wanted doctor && step 'doctor' eigenae doctor
  if [ -z "$stand_in" ]; then
    wanted node-bytes && step 'bytes from Node: the same as in the emulation' limited node bench/cuda/bytes.mjs
    for suite in engine queue runs; do
      wanted $suite && step "the tests of the device cuda: $suite" limited env EIGENAE_CUDA_TESTS=card CI=true \
        npx vitest run --mode system "tests/system/cuda-$suite.test.ts"
    done
  fi
  if wanted epochs; then
    for arm in baseline eigen batch-norm; do
      step "one epoch of $arm with the CUDA core" epoch core "configs/$arm.json" "$scratch/$arm-cuda"
      step "the same with the C++ core" eigenae train --config "configs/$arm.json" --epochs 1 --device cpu --quiet \
        --out "$scratch/$arm-cpu" "${limits[@]}"
      step 'the results of both' tail -qn 1 "$scratch/$arm-cuda/metrics.csv" "$scratch/$arm-cpu/metrics.csv"
    done
    step 'the same bytes again: training' epoch core configs/eigen.json "$scratch/again"
    step 'the same bytes again: comparison' cmp "$scratch/eigen-cuda/metrics.csv" "$scratch/again/metrics.csv"
  fi
  wanted bench && step 'seconds an epoch, of several models at once' limited node bench/run.mjs --only cuda "${bench[@]}"
  wanted sweep && step 'a sweep, its runs side by side' eigenae sweep --config configs/sweeps/small.json --device cuda \
    "${limits[@]}" --out "$scratch/sweep"
  if wanted tensorflow; then
    if EIGENAE_CUDA=tensorflow eigenae train --config configs/eigen.json --epochs 1 --set data.limit=64 --device cuda \
      --quiet --out "$scratch/tensorflow-there" >/dev/null 2>&1; then
      step 'TensorFlow: one epoch of eigen' epoch tensorflow configs/eigen.json "$scratch/tensorflow"
      step 'TensorFlow: batch 64, R networks at once' limited node bench/tensorflow/check.mjs --device cuda \
        --what replicas --steps 200 --replicas 1,8,64
    else
      skip TensorFlow 'it is not set up for this card: npx eigenae setup tensorflow --cuda'
    fi
  fi
}

for name in doctor node-bytes engine queue runs epochs bench sweep tensorflow; do
  wanted $name || continue
  if there node && [ -d node_modules ]; then
    if npm run build >/dev/null; then with_node; else failures+=('npm run build'); fi
  else
    skip 'the steps with Node' 'run "npm ci" first, then "npx eigenae setup cuda"'
  fi
  break
done

if [ ${#failures[@]} -eq 0 ]; then
  printf '\nall right, in %s s\n' $SECONDS
else
  printf '\nfailed:\n'
  printf '  %s\n' "${failures[@]}"
  exit 1
fi
