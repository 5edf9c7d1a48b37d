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

// What Hestenes' method knows of the pairs of a round. A product whose square is below the bound is 0 to rounding.
struct Pairs {
  static constexpr int maximal = 64;  // at once; a wider matrix takes several
  alignas(64) double difference[maximal], product[maximal], bound[maximal], cosine[maximal], sine[maximal];
  double *first[maximal], *second[maximal];
};

EIGENAE_INLINE Doubles chosen(Masks mask, Doubles yes, Doubles no) {
  return (Doubles)(((Masks)yes & mask) | ((Masks)no & ~mask));
}

// The rotations that make the pairs orthogonal, none where they are; returns whether any is one.
EIGENAE_INLINE bool findRotations(Pairs& pairs, int count) {
  Masks any{};
  for (int i = 0; i < count; i += doubleLanes) {
    const Doubles product = at(pairs.product + i), difference = at(pairs.difference + i);
    const Masks rotates = (Masks)(product * product > at(pairs.bound + i));
    const Doubles tau = difference / (2.0 * product);
    const Doubles tauSize = chosen((Masks)(tau < 0.0), -tau, tau);
    const Doubles tangentSize = 1.0 / (tauSize + squareRoot(1.0 + tau * tau));
    const Doubles tangent = chosen((Masks)(tau < 0.0), -tangentSize, tangentSize);
    const Doubles cosine = 1.0 / squareRoot(1.0 + tangent * tangent);
    at(pairs.cosine + i) = chosen(rotates, cosine, Doubles{} + 1.0);
    at(pairs.sine + i) = chosen(rotates, cosine * tangent, Doubles{});
    any |= rotates;
  }
  std::int64_t some = 0;
  for (int i = 0; i < doubleLanes; ++i) some |= any[i];
  return some != 0;
}

// Rotates pairs of columns until all are orthogonal to rounding (Hestenes' method). Each round takes every column once,
// so that its pairs are independent and the processor can work on all of them at once. The column behind the last, if
// `width` is odd, must be zeros.
void orthogonalise(double* columns, std::size_t stride, int width) {
  const double rounding = 2.3e-16 * (4 + width / 8);  // of a sum of products
  constexpr int maximalSweeps = 40;  // about six are needed; a bound in case the input is not finite
  const int players = width + width % 2;
  Pairs pairs;
  for (int i = 0; i < Pairs::maximal; ++i) pairs.difference[i] = pairs.product[i] = pairs.bound[i] = 0;
  bool rotated = players > 1;
  for (int sweep = 0; rotated && sweep < maximalSweeps; ++sweep) {
    rotated = false;
    for (int round = 0; round + 1 < players; ++round) {
      for (int begin = 0; begin < players / 2; begin += Pairs::maximal) {
        const int count = players / 2 - begin < Pairs::maximal ? players / 2 - begin : Pairs::maximal;
        for (int i = 0; i < count; ++i) {
          // a tournament: one player stays, the others move on a place each round
          const int place = begin + i, others = players - 1;
          const int up = round + place, down = round - place;
          const int a = place == 0 ? others : up < others ? up : up - others;
          const int b = down >= 0 ? down : down + others;
          double* first = pairs.first[i] = columns + a * stride;
          double* second = pairs.second[i] = columns + b * stride;
          const double firstSquare = dot(first, first, stride), secondSquare = dot(second, second, stride);
          pairs.product[i] = dot(first, second, stride);
          pairs.difference[i] = secondSquare - firstSquare;
          pairs.bound[i] = rounding * firstSquare * (rounding * secondSquare);
        }
        for (int i = count; i % doubleLanes != 0; ++i) pairs.product[i] = pairs.bound[i] = 0;
        if (!findRotations(pairs, count)) continue;
        rotated = true;
        for (int i = 0; i < count; ++i) {
          for (std::size_t k = 0; k < stride; k += doubleLanes) {
            const Doubles first = at(pairs.first[i] + k), second = at(pairs.second[i] + k);
            at(pairs.first[i] + k) = pairs.cosine[i] * first - pairs.sine[i] * second;
            at(pairs.second[i] + k) = pairs.sine[i] * first + pairs.cosine[i] * second;
          }
        }
      }
    }
  }
}

// out = columns · matrix, for a symmetric matrix whose columns are matrixStride apart.
void combine(const double* columns, std::size_t stride, int width, const double* matrix, std::size_t matrixStride,
             double* out) {
  for (std::size_t k = 0; k < stride; k += doubleLanes) {
    for (int j = 0; j < width; j += 4) {
      const int some = width - j < 4 ? width - j : 4;
      Doubles sums[4] = {};
      for (int i = 0; i < width; ++i) {
        const Doubles value = at(columns + i * stride + k);
        const double* row = matrix + i * matrixStride + j;
        EIGENAE_UNROLL
        for (int s = 0; s < 4; ++s) sums[s] += value * row[s];
      }
      for (int s = 0; s < some; ++s) at(out + (j + s) * stride + k) = sums[s];
    }
  }
}

}  // namespace
}  // namespace eigenae
