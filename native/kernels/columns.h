// Linear algebra in double on matrices whose columns each lie in one piece, `stride` apart, filled up with zeros to a
// multiple of eight numbers. For the singular values of the latent codes.
#pragma once

#include "intrinsics.h"

namespace eigenae {
namespace {

EIGENAE_INLINE Doubles& at(double* from) { return *reinterpret_cast<Doubles*>(from); }
EIGENAE_INLINE Doubles at(const double* from) { return *reinterpret_cast<const Doubles*>(from); }

EIGENAE_INLINE double sumOf(Doubles v) {
  using Two = double __attribute__((vector_size(16)));
  Two parts[doubleLanes / 2];
  __builtin_memcpy(parts, &v, sizeof(v));
  Two sum = parts[0];
  EIGENAE_UNROLL
  for (int i = 1; i < doubleLanes / 2; ++i) sum += parts[i];
  return sum[0] + sum[1];
}

EIGENAE_INLINE double dot(const double* a, const double* b, std::size_t size) {
  Doubles even{}, odd{};
  std::size_t i = 0;
  for (; i + 2 * doubleLanes <= size; i += 2 * doubleLanes) {
    even += at(a + i) * at(b + i);
    odd += at(a + i + doubleLanes) * at(b + i + doubleLanes);
  }
  for (; i < size; i += doubleLanes) even += at(a + i) * at(b + i);
  return sumOf(even + odd);
}

void widen(const float* row, std::size_t stride, int columns, double* column) {
  for (; columns > 0; columns -= panel, row += stride, column += panel) {
    const int some = columns < panel ? columns : panel;
    for (int c = 0; c < some; ++c) column[c] = row[c];
  }
}

double narrow(const double* column, int columns, float* row, std::size_t stride) {
  Doubles sum{};
  for (int c = 0; c < columns; c += doubleLanes) sum += at(column + c);
  for (; columns > 0; columns -= panel, row += stride, column += panel) {
    const int some = columns < panel ? columns : panel;
    for (int c = 0; c < some; ++c) row[c] = static_cast<float>(column[c]);
  }
  return sumOf(sum);
}

// Gram–Schmidt, modified: columns = Q · R. Row i of R becomes column i of `rows`; of the columns nothing is left.
void triangularFactor(double* columns, std::size_t stride, int width, double* rows, std::size_t rowStride) {
  for (int i = 0; i < width; ++i) {
    double* unit = columns + i * stride;
    double* row = rows + i * rowStride;
    for (std::size_t j = 0; j < rowStride; ++j) row[j] = 0;
    const double length = __builtin_sqrt(dot(unit, unit, stride));
    if (length == 0) continue;
    row[i] = length;
    const double scale = 1 / length;
    for (std::size_t k = 0; k < stride; k += doubleLanes) at(unit + k) *= scale;
    for (int j = i + 1; j < width; ++j) {
      double* other = columns + j * stride;
      const double share = dot(unit, other, stride);
      row[j] = share;
      for (std::size_t k = 0; k < stride; k += doubleLanes) at(other + k) -= share * at(unit + k);
    }
  }
}

// What Hestenes' method knows of the pairs of a round: of each column the square of its length, of both the product.
struct Pairs {
  static constexpr int maximal = 64;  // at once; a wider matrix takes several
  alignas(64) double firstSquare[maximal], secondSquare[maximal], product[maximal], cosine[maximal], sine[maximal];
  int first[maximal], second[maximal];
};

EIGENAE_INLINE Doubles chosen(Masks mask, Doubles yes, Doubles no) {
  return (Doubles)(((Masks)yes & mask) | ((Masks)no & ~mask));
}

EIGENAE_INLINE Doubles notNegative(Doubles x) { return chosen((Masks)(x > 0.0), x, Doubles{}); }

// The rotations that make the pairs orthogonal, none where they are to rounding, and the squares after them; returns
// whether any is one. For p = product, δ = difference of the squares, h² = δ² + 4p² and u = |δ| + h, the cosine is
// u / √(2hu) and the sine 2p / √(2hu). The longer column's square gains 2p² / u and the shorter's loses it: computed as
// (sum ± h) / 2 the shorter's would be lost where lengths differ much, and codes of a low rank take thirty sweeps.
EIGENAE_INLINE bool findRotations(Pairs& pairs, int count, double rounding) {
  Masks any{};
  for (int i = 0; i < count; i += doubleLanes) {
    const Doubles product = at(pairs.product + i), first = at(pairs.firstSquare + i);
    const Doubles second = at(pairs.secondSquare + i);
    const Masks rotates = (Masks)(product * product > (rounding * first) * (rounding * second));
    any |= rotates;
    const Doubles difference = second - first, twice = 2.0 * product;
    const Doubles h = squareRoot(difference * difference + twice * twice);
    const Masks falls = (Masks)(difference < 0.0);
    const Doubles u = chosen(falls, -difference, difference) + h;
    const Doubles scale = 1.0 / squareRoot(2.0 * h * u);
    const Doubles sine = twice * scale, shift = twice * product / u;
    at(pairs.cosine + i) = chosen(rotates, u * scale, Doubles{} + 1.0);
    at(pairs.sine + i) = chosen(rotates, chosen(falls, -sine, sine), Doubles{});
    const Doubles signedShift = chosen(rotates, chosen(falls, -shift, shift), Doubles{});
    at(pairs.firstSquare + i) = notNegative(first - signedShift);
    at(pairs.secondSquare + i) = notNegative(second + signedShift);
  }
  std::int64_t some = 0;
  for (int i = 0; i < doubleLanes; ++i) some |= any[i];
  return some != 0;
}

// Pairs [begin, begin + count) of a round. A tournament: one player stays, the others move on a place each round.
EIGENAE_INLINE void pairUp(const double* columns, std::size_t stride, const double* squares, int players, int round,
                           int begin, int count, Pairs& pairs) {
  const int others = players - 1;
  for (int i = 0; i < count; ++i) {
    const int place = begin + i, up = round + place, down = round - place;
    const int first = pairs.first[i] = place == 0 ? others : up < others ? up : up - others;
    const int second = pairs.second[i] = down >= 0 ? down : down + others;
    pairs.firstSquare[i] = squares[first];
    pairs.secondSquare[i] = squares[second];
    pairs.product[i] = dot(columns + first * stride, columns + second * stride, stride);
  }
  for (int i = count; i % doubleLanes != 0; ++i) {
    pairs.firstSquare[i] = pairs.secondSquare[i] = pairs.product[i] = 0;
  }
}

EIGENAE_INLINE void rotate(const Pairs& pairs, int count, double* columns, std::size_t stride, double* squares) {
  for (int i = 0; i < count; ++i) {
    if (pairs.sine[i] == 0) continue;
    squares[pairs.first[i]] = pairs.firstSquare[i];
    squares[pairs.second[i]] = pairs.secondSquare[i];
    double *first = columns + pairs.first[i] * stride, *second = columns + pairs.second[i] * stride;
    for (std::size_t k = 0; k < stride; k += doubleLanes) {
      const Doubles x = at(first + k), y = at(second + k);
      at(first + k) = pairs.cosine[i] * x - pairs.sine[i] * y;
      at(second + k) = pairs.sine[i] * x + pairs.cosine[i] * y;
    }
  }
}

// Rotates pairs of columns until all are orthogonal to rounding (Hestenes' method). Each round takes every column once,
// so that its pairs are independent and the processor can work on all of them at once. The column behind the last, if
// `width` is odd, must be zeros. The squares [width, made even] are computed anew in each sweep and followed through
// its rotations: in the last sweep, which finds none, they are exact.
void orthogonalise(double* columns, std::size_t stride, int width, double* squares) {
  const double rounding = 2.3e-16 * (4 + width / 8);  // of a sum of products
  constexpr int maximalSweeps = 40;  // six to ten are needed; a bound in case the input is not finite
  const int players = width + width % 2;
  Pairs pairs;
  bool rotated = players > 1;
  for (int sweep = 0; rotated && sweep < maximalSweeps; ++sweep) {
    rotated = false;
    for (int i = 0; i < players; ++i) squares[i] = dot(columns + i * stride, columns + i * stride, stride);
    for (int round = 0; round + 1 < players; ++round) {
      for (int begin = 0; begin < players / 2; begin += Pairs::maximal) {
        const int count = players / 2 - begin < Pairs::maximal ? players / 2 - begin : Pairs::maximal;
        pairUp(columns, stride, squares, players, round, begin, count, pairs);
        if (!findRotations(pairs, count, rounding)) continue;
        rotated = true;
        rotate(pairs, count, columns, stride, squares);
      }
    }
  }
}

// out [width][stride] = columns · diag(weights) · columnsᵀ, for as many rows as columns.
void weightedSquare(const double* columns, std::size_t stride, int width, const double* weights, double* out) {
  for (std::size_t k = 0; k < stride; k += doubleLanes) {
    for (int r = 0; r < width; r += 4) {
      const int some = width - r < 4 ? width - r : 4;
      Doubles sums[4] = {};
      for (int i = 0; i < width; ++i) {
        const Doubles value = weights[i] * at(columns + i * stride + k);
        const double* factors = columns + i * stride + r;
        EIGENAE_UNROLL
        for (int s = 0; s < 4; ++s) sums[s] += value * factors[s];
      }
      for (int s = 0; s < some; ++s) at(out + (r + s) * stride + k) = sums[s];
    }
  }
}

// A vector or two of four columns of a product.
template <int vectors>
EIGENAE_INLINE void combineTile(const double* columns, std::size_t stride, int width, const double* matrix,
                                std::size_t matrixStride, int some, double* out) {
  Doubles sums[4][vectors] = {};
  for (int i = 0; i < width; ++i, columns += stride, matrix += matrixStride) {
    EIGENAE_UNROLL
    for (int s = 0; s < 4; ++s) {
      EIGENAE_UNROLL
      for (int v = 0; v < vectors; ++v) sums[s][v] += matrix[s] * at(columns + v * doubleLanes);
    }
  }
  for (int s = 0; s < some; ++s) {
    for (int v = 0; v < vectors; ++v) at(out + s * stride + v * doubleLanes) = sums[s][v];
  }
}

// out = columns · matrix, for a symmetric matrix whose columns are matrixStride apart.
void combine(const double* columns, std::size_t stride, int width, const double* matrix, std::size_t matrixStride,
             double* out) {
  for (int j = 0; j < width; j += 4) {
    const int some = width - j < 4 ? width - j : 4;
    double* to = out + j * stride;
    std::size_t k = 0;
    for (; k + 2 * doubleLanes <= stride; k += 2 * doubleLanes) {
      combineTile<2>(columns + k, stride, width, matrix + j, matrixStride, some, to + k);
    }
    for (; k < stride; k += doubleLanes) {
      combineTile<1>(columns + k, stride, width, matrix + j, matrixStride, some, to + k);
    }
  }
}

}  // namespace
}  // namespace eigenae
