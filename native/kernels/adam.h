// Adam, on vectors and on arrays.
#pragma once

#include "intrinsics.h"
#include "kernels.h"

namespace eigenae {
namespace {

struct AdamVectors {
  Floats rest1, rest2, rate, epsilon;

  explicit AdamVectors(const AdamStep& step)
      : rest1(broadcast(step.rest1)),
        rest2(broadcast(step.rest2)),
        rate(broadcast(step.rate)),
        epsilon(broadcast(step.epsilon)) {}
};

// WebAssembly cannot flush denormals, see core/denormals.h: there, moments go to 0 before their products are such. Beside
// Adam's epsilon they have long been nothing.
EIGENAE_INLINE Floats withoutTraces(Floats moments) {
#if defined(__wasm_simd128__)
  const Integers size = (Integers)moments & 0x7FFFFFFF;
  return (Floats)((Integers)moments & (size > 0x07000000));  // 2⁻¹¹³; what is not a number is kept
#else
  return moments;
#endif
}

// torch.optim.Adam in three stages: m += (g − m)(1 − β₁), v += (g² − v)(1 − β₂); √v + ε; w −= rate · m / (√v + ε).
EIGENAE_INLINE void moveMoments(Floats gradient, float* firstMoments, float* secondMoments, const AdamVectors& step) {
  const Floats first = loadUnaligned(firstMoments), second = loadUnaligned(secondMoments);
  storeUnaligned(firstMoments, withoutTraces(first + (gradient - first) * step.rest1));
  storeUnaligned(secondMoments, withoutTraces(second + (gradient * gradient - second) * step.rest2));
}

EIGENAE_INLINE Floats denominator(const float* secondMoments, const AdamVectors& step) {
  return squareRoot(loadUnaligned(secondMoments)) + step.epsilon;
}

EIGENAE_INLINE void moveParameters(float* parameters, const float* firstMoments, Floats denominator,
                                   const AdamVectors& step) {
  const Floats ratio = loadUnaligned(firstMoments) / denominator;
  storeUnaligned(parameters, loadUnaligned(parameters) - step.rate * ratio);
}

EIGENAE_INLINE void adam(Floats gradient, float* parameters, float* firstMoments, float* secondMoments,
                         const AdamVectors& step) {
  moveMoments(gradient, firstMoments, secondMoments, step);
  moveParameters(parameters, firstMoments, denominator(secondMoments, step), step);
}

void trainArray(const float* gradient, std::size_t count, Trained w, const AdamStep& step) {
  const AdamVectors vectors(step);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    adam(loadUnaligned(gradient + i), w.parameters + i, w.firstMoments + i, w.secondMoments + i, vectors);
  }
  if (i == count) return;
  float rest[4][lanes] = {};  // the same vector operations on the last few
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
