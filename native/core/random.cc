#include "random.h"

#include <cmath>

namespace eigenae {

namespace {

constexpr float twoPi = 6.28318530717958648f;

void boxMuller(std::uint32_t radiusWord, std::uint32_t angleWord, float* cosine, float* sine) {
  const float uniform = (static_cast<float>(radiusWord >> 9) + 0.5f) * 0x1p-23f;  // in (0, 1), so the logarithm is finite
  const float turns = static_cast<float>(static_cast<std::int32_t>(angleWord)) * 0x1p-32f;
  const float radius = std::sqrt(-2 * std::log(uniform));
  *cosine = radius * std::cos(twoPi * turns);
  *sine = radius * std::sin(twoPi * turns);
}

}  // namespace

std::array<float, 4> normals(std::uint32_t seed, std::uint32_t purpose, std::uint32_t epoch, std::uint32_t image,
                             std::uint32_t pixelBlock) {
  const PhiloxCounter words = philox4x32({pixelBlock, image, epoch, 0}, {seed, purpose});
  std::array<float, 4> values;
  boxMuller(words[0], words[1], &values[0], &values[1]);
  boxMuller(words[2], words[3], &values[2], &values[3]);
  return values;
}

}  // namespace eigenae
