// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). A number is determined by (seed, purpose, epoch, index), so there is no generator state to save.
#pragma once

#include <array>
#include <cstdint>

namespace eigenae {

namespace purpose {
constexpr std::uint32_t initialParameters = 1;  // drawn in TypeScript: src/model/state.ts
constexpr std::uint32_t shuffle = 2;            // drawn in TypeScript: src/model/shuffle.ts
constexpr std::uint32_t trainingNoise = 3;
constexpr std::uint32_t evaluationNoise = 4;
}  // namespace purpose

using PhiloxCounter = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

inline PhiloxCounter philox4x32(PhiloxCounter counter, PhiloxKey key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

// Returns the four standard normal numbers of pixels 4p … 4p+3 (p = `pixelBlock`) of an image, from the Philox words of
// counter {pixelBlock, image, epoch, 0} and key {seed, purpose}. Box–Muller turns each of the word pairs (w0, w1) and
// (w2, w3) into r·cos(2πt) and r·sin(2πt), with r = sqrt(−2 ln u), u = ((w_even >> 9) + 0.5)·2⁻²³ and
// t = int32(w_odd)·2⁻³² turns.
std::array<float, 4> normals(std::uint32_t seed, std::uint32_t purpose, std::uint32_t epoch, std::uint32_t image,
                             std::uint32_t pixelBlock);

}  // namespace eigenae
