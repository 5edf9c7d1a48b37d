// The optimisers: torch.optim.Adam and AdamW, torch.optim.SGD, each also with the exponential average of the
// parameters. The factors of a step are those of OptimizerStep in kernels.h.
//
// An optimiser updates one vector in three stages, which gradient.h interleaves with products. `at` is the vector's
// offset in the arrays.
#pragma once

#include "intrinsics.h"
#include "kernels.h"

namespace eigenae {
namespace {

// Sets moments below 2⁻¹¹³ to 0 in WebAssembly, which cannot flush denormals as core/denormals.h does elsewhere: their
// products would be denormal and slow. Such moments are negligible beside Adam's epsilon.
EIGENAE_INLINE Floats flushDenormals(Floats moments) {
#if defined(__wasm_simd128__)
  const Integers size = (Integers)moments & 0x7FFFFFFF;
  return (Floats)((Integers)moments & (size > 0x07000000));  // 2⁻¹¹³; NaN is kept
#else
  return moments;
#endif
}

// Stores a parameter's new values and moves its average towards them.
template <bool averages>
EIGENAE_INLINE void storeParameters(Floats values, const TrainedArrays& w, std::size_t at, Floats averageShare) {
  storeUnaligned(w.parameters + at, values);
  if constexpr (averages) {
    const Floats average = loadUnaligned(w.averages + at);
    storeUnaligned(w.averages + at, average + (values - average) * averageShare);
  }
}

template <bool decays, bool averages>
struct Adam {
  static constexpr bool hasStages = true, hasAverages = averages;
  Floats oneMinusBeta1, oneMinusBeta2, stepSize, epsilon, keptShare, averageShare;

  explicit Adam(const OptimizerStep& step)
      : oneMinusBeta1(broadcast(step.oneMinusBeta1)),
        oneMinusBeta2(broadcast(step.oneMinusBeta2)),
        stepSize(broadcast(step.stepSize)),
        epsilon(broadcast(step.epsilon)),
        keptShare(broadcast(step.keptShare)),
        averageShare(broadcast(step.averageShare)) {}

  // Updates the moments.
  EIGENAE_INLINE void stage1(Floats gradient, const TrainedArrays& w, std::size_t at) const {
    const Floats first = loadUnaligned(w.firstMoments + at), second = loadUnaligned(w.secondMoments + at);
    storeUnaligned(w.firstMoments + at, flushDenormals(first + (gradient - first) * oneMinusBeta1));
    storeUnaligned(w.secondMoments + at, flushDenormals(second + (gradient * gradient - second) * oneMinusBeta2));
  }

  // Returns √v + ε.
  EIGENAE_INLINE Floats stage2(const TrainedArrays& w, std::size_t at) const {
    return squareRoot(loadUnaligned(w.secondMoments + at)) + epsilon;
  }

  EIGENAE_INLINE void stage3(Floats denominator, const TrainedArrays& w, std::size_t at) const {
    const Floats ratio = loadUnaligned(w.firstMoments + at) / denominator;
    subtract(stepSize * ratio, w, at);
  }

  EIGENAE_INLINE void subtract(Floats change, const TrainedArrays& w, std::size_t at) const {
    const Floats values = loadUnaligned(w.parameters + at);
    if constexpr (decays) {
      storeParameters<averages>(values * keptShare - change, w, at, averageShare);
    } else {
      storeParameters<averages>(values - change, w, at, averageShare);
    }
  }
};

// Has no root and no division whose latency stages would hide, so the first one does everything.
template <bool averages>
struct Sgd {
  static constexpr bool hasStages = false, hasAverages = averages;
  Floats momentum, gradientShare, bufferShare, stepSize, averageShare;

  explicit Sgd(const OptimizerStep& step)
      : momentum(broadcast(step.momentum)),
        gradientShare(broadcast(step.gradientShare)),
        bufferShare(broadcast(step.bufferShare)),
        stepSize(broadcast(step.stepSize)),
        averageShare(broadcast(step.averageShare)) {}

  EIGENAE_INLINE void stage1(Floats gradient, const TrainedArrays& w, std::size_t at) const {
    const Floats buffer = flushDenormals(loadUnaligned(w.firstMoments + at) * momentum + gradient);
    storeUnaligned(w.firstMoments + at, buffer);
    const Floats direction = gradient * gradientShare + buffer * bufferShare;
    storeParameters<averages>(loadUnaligned(w.parameters + at) - stepSize * direction, w, at, averageShare);
  }
};

template <typename Optimizer>
EIGENAE_INLINE void updateVector(const Optimizer& optimizer, Floats gradient, const TrainedArrays& w, std::size_t at) {
  optimizer.stage1(gradient, w, at);
  if constexpr (Optimizer::hasStages) optimizer.stage3(optimizer.stage2(w, at), w, at);
}

template <typename Optimizer>
void updateArray(const float* gradient, std::size_t count, TrainedArrays w, const OptimizerStep& step) {
  const Optimizer optimizer(step);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) updateVector(optimizer, loadUnaligned(gradient + i), w, i);
  if (i == count) return;
  // The last elements, padded to a vector so that they go through the same operations.
  float rest[5][lanes] = {};
  float* const arrays[4] = {w.parameters, w.firstMoments, w.secondMoments, w.averages};
  constexpr int used = Optimizer::hasAverages ? 4 : 3;
  for (std::size_t j = 0; i + j < count; ++j) {
    for (int a = 0; a < used; ++a) rest[a][j] = arrays[a][i + j];
    rest[4][j] = gradient[i + j];
  }
  updateVector(optimizer, loadUnaligned(rest[4]), {rest[0], rest[1], rest[2], rest[3]}, 0);
  for (std::size_t j = 0; i + j < count; ++j) {
    for (int a = 0; a < used; ++a) arrays[a][i + j] = rest[a][j];
  }
}

}  // namespace
}  // namespace eigenae
