// Adam (torch.optim.Adam) on vectors and on arrays. Step size and epsilon already include the bias corrections, by
// adamFactors in core/vector_trainer.cc.
#pragma once

#include "intrinsics.h"
#include "kernels.h"

namespace eigenae {
namespace {

struct AdamVectors {
  Floats oneMinusBeta1, oneMinusBeta2, stepSize, epsilon;

  explicit AdamVectors(const AdamStep& step)
      : oneMinusBeta1(broadcast(step.oneMinusBeta1)),
        oneMinusBeta2(broadcast(step.oneMinusBeta2)),
        stepSize(broadcast(step.stepSize)),
        epsilon(broadcast(step.epsilon)) {}
};

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

// The three stages of an update, which gradient.h interleaves with products:
//   updateMoments      m += (g − m)(1 − β₁), v += (g² − v)(1 − β₂)
//   denominator        √v + ε
//   updateParameters   w −= stepSize · m / (√v + ε)
EIGENAE_INLINE void updateMoments(Floats gradient, float* firstMoments, float* secondMoments, const AdamVectors& step) {
  const Floats first = loadUnaligned(firstMoments), second = loadUnaligned(secondMoments);
  storeUnaligned(firstMoments, flushDenormals(first + (gradient - first) * step.oneMinusBeta1));
  storeUnaligned(secondMoments, flushDenormals(second + (gradient * gradient - second) * step.oneMinusBeta2));
}

EIGENAE_INLINE Floats denominator(const float* secondMoments, const AdamVectors& step) {
  return squareRoot(loadUnaligned(secondMoments)) + step.epsilon;
}

EIGENAE_INLINE void updateParameters(float* parameters, const float* firstMoments, Floats denominator,
                                     const AdamVectors& step) {
  const Floats ratio = loadUnaligned(firstMoments) / denominator;
  storeUnaligned(parameters, loadUnaligned(parameters) - step.stepSize * ratio);
}

EIGENAE_INLINE void adam(Floats gradient, float* parameters, float* firstMoments, float* secondMoments,
                         const AdamVectors& step) {
  updateMoments(gradient, firstMoments, secondMoments, step);
  updateParameters(parameters, firstMoments, denominator(secondMoments, step), step);
}

void updateArray(const float* gradient, std::size_t count, AdamArrays w, const AdamStep& step) {
  const AdamVectors vectors(step);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    adam(loadUnaligned(gradient + i), w.parameters + i, w.firstMoments + i, w.secondMoments + i, vectors);
  }
  if (i == count) return;
  float rest[4][lanes] = {};  // the last elements, padded to a vector so that they go through the same operations
  for (std::size_t j = 0; i + j < count; ++j) {
    rest[0][j] = gradient[i + j];
    rest[1][j] = w.parameters[i + j];
    rest[2][j] = w.firstMoments[i + j];
    rest[3][j] = w.secondMoments[i + j];
  }
  adam(loadUnaligned(rest[0]), rest[1], rest[2], rest[3], vectors);
  for (std::size_t j = 0; i + j < count; ++j) {
    w.parameters[i + j] = rest[1][j];
    w.firstMoments[i + j] = rest[2][j];
    w.secondMoments[i + j] = rest[3][j];
  }
}

}  // namespace
}  // namespace eigenae
