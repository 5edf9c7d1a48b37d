// Activations, losses and sums, element by element on panels [rows][panel].
#pragma once

#include "intrinsics.h"
#include "kernels.h"

namespace eigenae {
namespace {

// Returns x where it is positive and 0 elsewhere. NaN stays NaN, so that a diverged run is visible.
EIGENAE_INLINE Floats relu(Floats x) { return max(Floats{}, x); }

// All bits set in the lanes of a panel's first validColumns columns, 0 in the others.
struct ColumnMask {
  Integers lower, upper;

  explicit ColumnMask(int validColumns) {
    for (int i = 0; i < lanes; ++i) {
      lower[i] = i < validColumns ? -1 : 0;
      upper[i] = i + lanes < validColumns ? -1 : 0;
    }
  }
};

EIGENAE_INLINE Floats masked(Floats x, Integers mask) { return (Floats)((Integers)x & mask); }

// Returns e⁻ˣ with a relative error of 2e-7, as 2ⁿ · e⁻ʳ with x = r − n ln 2 and |r| ≤ ½ ln 2. x is clamped to ±87, so
// that the result is a normal number.
EIGENAE_INLINE Floats expNegative(Floats x) {
  constexpr float limit = 87.0f;
  x = max(broadcast(-limit), min(broadcast(limit), x));
  constexpr float magic = 0x1.8p23f;  // adding it rounds to an integer and leaves the integer in the lowest bits
  const Floats shifted = x * -1.44269504088896341f + magic;
  const Floats r = (shifted - magic) * 0.693147180559945f + x;
  const Floats square = r * r;
  const Floats series = (r * -8.312399225e-3f + 4.189012219e-2f) * square + (r * -1.6667115617e-1f + 4.999923175e-1f);
  const Floats result = series * square + (1.0f - r);
  return (Floats)((Integers)result + ((Integers)shifted << 23));
}

EIGENAE_INLINE Floats sigmoidVector(Floats x) { return 1.0f / (1.0f + expNegative(x)); }

void addBias(const float* bias, int rows, bool applyRelu, float* x) {
  const Floats least = broadcast(applyRelu ? 0.0f : -__builtin_inff());
  for (int r = 0; r < rows; ++r) {
    const Floats shift = broadcast(bias[r]);
    EIGENAE_UNROLL
    for (int c = r * panel; c < (r + 1) * panel; c += lanes) store(x + c, max(least, load(x + c) + shift));
  }
}

void reluBackward(const float* output, int rows, float* gradient) {
  for (int i = 0; i < rows * panel; i += lanes) {
    store(gradient + i, masked(load(gradient + i), (Integers)(load(output + i) > 0.0f)));
  }
}

float sigmoidLoss(const float* target, const float* bias, int rows, int validColumns, float scale, float* x) {
  const ColumnMask mask(validColumns);
  const Floats shift[2] = {loadUnaligned(bias), loadUnaligned(bias + lanes)};
  Floats sum[2] = {};
  for (int r = 0; r < rows; ++r) {
    EIGENAE_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int at = r * panel + half * lanes;
      const Floats y = sigmoidVector(load(x + at) + shift[half]);
      const Floats difference = masked(y - load(target + at), half == 0 ? mask.lower : mask.upper);
      sum[half] += difference * difference;
      store(x + at, masked((difference * scale) * (y - y * y), half == 0 ? mask.lower : mask.upper));
    }
  }
  return horizontalSum(sum[0] + sum[1]);
}

void sigmoid(const float* bias, int rows, float* x) {
  const Floats shift[2] = {loadUnaligned(bias), loadUnaligned(bias + lanes)};
  for (int r = 0; r < rows; ++r, x += panel) {
    store(x, sigmoidVector(load(x) + shift[0]));
    store(x + lanes, sigmoidVector(load(x + lanes) + shift[1]));
  }
}

float squaredError(const float* x, const float* target, int rows, int validColumns) {
  const ColumnMask mask(validColumns);
  Floats sum[2] = {};
  for (int i = 0; i < rows * panel; i += panel) {
    const Floats first = masked(load(x + i) - load(target + i), mask.lower);
    const Floats second = masked(load(x + i + lanes) - load(target + i + lanes), mask.upper);
    sum[0] += first * first;
    sum[1] += second * second;
  }
  return horizontalSum(sum[0] + sum[1]);
}

void rowSums(const float* x, std::size_t stride, int rows, int columns, float* sums) {
  for (int r = 0; r < rows; ++r, x += panel) {
    Floats lower{}, upper{};
    const float* from = x;
    int left = columns;
    for (; left >= panel; left -= panel, from += stride) {
      lower += load(from);
      upper += load(from + lanes);
    }
    float sum = horizontalSum(lower + upper);
    for (int c = 0; c < left; ++c) sum += from[c];
    sums[r] = sum;
  }
}

void columnSums(const float* x, std::size_t stride, int rows, int columns, float* sums) {
  for (; columns > 0; columns -= panel, x += stride, sums += panel) {
    Floats lower{}, upper{};
    for (int r = 0; r < rows; ++r) {
      lower += load(x + r * panel);
      upper += load(x + r * panel + lanes);
    }
    float all[panel];
    storeUnaligned(all, lower);
    storeUnaligned(all + lanes, upper);
    for (int c = 0; c < panel && c < columns; ++c) sums[c] = all[c];
  }
}

}  // namespace
}  // namespace eigenae
