// A linear classifier on the embedding, in double.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace eigenae {

// Embeddings with their labels.
struct LabelledEmbedding {
  const float* embedding;      // [count][latent]
  const std::uint8_t* labels;  // [count]
  std::size_t count;
};

struct LinearProbe {
  LabelledEmbedding train, scored;
  int latent;
  bool leaveOut;  // the scored images are the first train images, each left out of the fit that scores it
};

// Returns for how many scored images a linear map predicts the label from the embedding: ridge regression of one-hot
// labels on `train` (λ = 1, the intercept is not penalised), with the largest output as the label. The classes are 0 to
// the largest label of `train`. A class without images has the output 0, which is never the largest, because the
// outputs sum to 1. Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 3.4.1 and 4.2; 7.10 for
// leave-one-out. Returns early once stop is not 0; the result is then meaningless.
std::size_t countProbeHits(const LinearProbe& probe, const std::atomic<std::int32_t>& stop);

}  // namespace eigenae
