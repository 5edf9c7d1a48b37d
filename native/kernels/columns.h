// Linear algebra in double for the singular values of the embedding. Each column of a matrix is contiguous and padded
// with zeros to a multiple of eight doubles; columns are `stride` doubles apart.
#pragma once

#include "intrinsics.h"

namespace eigenae {
namespace {

EIGENAE_INLINE Doubles& at(double* from) { return *reinterpret_cast<Doubles*>(from); }
EIGENAE_INLINE Doubles at(const double* from) { return *reinterpret_cast<const Doubles*>(from); }

EIGENAE_INLINE double horizontalSum(Doubles v) {
  using Two = double __attribute__((vector_size(16)));
  Two pairs[doubleLanes / 2];
  __builtin_memcpy(pairs, &v, sizeof(v));
  Two sum = pairs[0];
  EIGENAE_UNROLL
  for (int i = 1; i < doubleLanes / 2; ++i) sum += pairs[i];
  return sum[0] + sum[1];
}

// Calls visit(index, sum) for each vector of `size` doubles and returns the total of the sums. Four sums take turns,
// which hides the latency of an addition.
template <typename Visit>
EIGENAE_INLINE double reduceVectors(std::size_t size, Visit visit) {
  constexpr int count = 4;
  Doubles sums[count] = {};
  std::size_t i = 0;
  for (; i + count * doubleLanes <= size; i += count * doubleLanes) {
    EIGENAE_UNROLL
    for (int s = 0; s < count; ++s) visit(i + s * doubleLanes, sums[s]);
  }
  for (; i < size; i += doubleLanes) visit(i, sums[0]);
  return horizontalSum((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

EIGENAE_INLINE double dot(const double* a, const double* b, std::size_t size) {
  return reduceVectors(size, [&](std::size_t i, Doubles& sum) { sum += at(a + i) * at(b + i); });
}

EIGENAE_INLINE bool isStopped(const std::int32_t* word) { return __atomic_load_n(word, __ATOMIC_RELAXED) != 0; }

// Subtracts share · unit from `other`. Returns the squared length of the result.
EIGENAE_INLINE double subtractProjection(double share, const double* unit, double* other, std::size_t size) {
  return reduceVectors(size, [&](std::size_t i, Doubles& sum) {
    const Doubles rest = at(other + i) - share * at(unit + i);
    at(other + i) = rest;
    sum += rest * rest;
  });
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
  return horizontalSum(sum);
}

// Factorises columns = Q · R by modified Gram–Schmidt with the longest remaining column as pivot. Q replaces the
// columns of the pivots; row i of R becomes column i of `rows` [width + 1], and a column of zeros follows the last row.
// Returns the number of rows, which is the numerical rank, or −1 if a column is not finite.
//
// On entry, `noise` [width] holds the squared length that each column has already lost (by centring). On return, it
// holds the square of the rounding error that each column may contain: `rounding` times its original length, and the
// share of a pivot's error that a projection brings along. A column that is no longer than its error is left as it is
// and takes no part in further rows. `order` [width] receives the pivots and then these columns. `squares` [width] is
// scratch space.
int triangularFactor(double* columns, std::size_t stride, int width, double rounding, double* rows,
                     std::size_t rowStride, double* squares, double* noise, int* order, const std::int32_t* stop) {
  for (int j = 0; j < width; ++j) {
    squares[j] = dot(columns + j * stride, columns + j * stride, stride);
    if (!(squares[j] <= __DBL_MAX__)) return -1;
    noise[j] = rounding * rounding * (squares[j] + noise[j]);
    order[j] = j;
  }
  int end = width;  // order[end …] are the columns that are rounding error alone
  for (int i = 0;; ++i, rows += rowStride) {
    for (std::size_t j = 0; j < rowStride; ++j) rows[j] = 0;
    int longest = i;
    for (int k = i; k < end;) {
      const int j = order[k];
      if (squares[j] <= noise[j]) {
        order[k] = order[--end];
        order[end] = j;
        continue;
      }
      if (squares[j] > squares[order[longest]]) longest = k;
      ++k;
    }
    if (i == end || isStopped(stop)) return i;
    const int pivot = order[longest];
    order[longest] = order[i];
    order[i] = pivot;

    double* unit = columns + pivot * stride;
    const double length = __builtin_sqrt(squares[pivot]), scale = 1 / length;
    rows[pivot] = length;
    for (std::size_t k = 0; k < stride; k += doubleLanes) at(unit + k) *= scale;
    for (int k = i + 1; k < end; ++k) {
      const int j = order[k];
      double* other = columns + j * stride;
      rows[j] = dot(unit, other, stride);
      squares[j] = subtractProjection(rows[j], unit, other, stride);
      const double ratio = rows[j] * scale;
      noise[j] += ratio * ratio * noise[pivot];
    }
  }
}

// Pairs of columns that one round of Hestenes' method rotates: the squared length of each column, their inner product,
// and the rotation.
struct Pairs {
  static constexpr int maximal = 64;  // pairs at once; a round of a wider matrix is processed in several pieces
  alignas(64) double firstSquare[maximal], secondSquare[maximal], product[maximal], cosine[maximal], sine[maximal];
  int first[maximal], second[maximal];
};

EIGENAE_INLINE Doubles select(Masks mask, Doubles yes, Doubles no) {
  return (Doubles)(((Masks)yes & mask) | ((Masks)no & ~mask));
}

EIGENAE_INLINE Doubles clampNegative(Doubles x) { return select((Masks)(x > 0.0), x, Doubles{}); }

// Computes the rotations that make the pairs orthogonal and the squared lengths after them. A pair that is orthogonal
// up to `rounding` is not rotated. Returns the square of the largest sine of all rotations and of all deviations from a
// right angle.
//
// For p = product, δ = difference of the squares, h² = δ² + 4p² and u = |δ| + h, the cosine is u / √(2hu) and the sine
// 2p / √(2hu). The longer column's square grows by 2p² / u and the shorter's shrinks by it. The textbook formula
// (sum ± h) / 2 would cancel the shorter's square if the lengths differ much: an embedding of low rank then takes
// thirty sweeps.
EIGENAE_INLINE double findRotations(Pairs& pairs, int count, double rounding) {
  Doubles largest{};
  for (int i = 0; i < count; i += doubleLanes) {
    const Doubles product = at(pairs.product + i), first = at(pairs.firstSquare + i);
    const Doubles second = at(pairs.secondSquare + i);
    const Masks rotates = (Masks)(product * product > (rounding * first) * (rounding * second));
    const Doubles difference = second - first, twice = 2.0 * product;
    const Doubles h = squareRoot(difference * difference + twice * twice);
    const Masks falls = (Masks)(difference < 0.0);
    const Doubles u = select(falls, -difference, difference) + h;
    const Doubles scale = 1.0 / squareRoot(2.0 * h * u);
    const Doubles sine = twice * scale, shift = twice * product / u;
    at(pairs.cosine + i) = select(rotates, u * scale, Doubles{} + 1.0);
    const Doubles signedSine = select(rotates, select(falls, -sine, sine), Doubles{});
    at(pairs.sine + i) = signedSine;
    const Doubles turned = signedSine * signedSine;
    const Doubles skew = select(rotates, product * product / (first * second), Doubles{});
    const Doubles larger = select((Masks)(turned > skew), turned, skew);
    largest = select((Masks)(larger > largest), larger, largest);
    const Doubles signedShift = select(rotates, select(falls, -shift, shift), Doubles{});
    at(pairs.firstSquare + i) = clampNegative(first - signedShift);
    at(pairs.secondSquare + i) = clampNegative(second + signedShift);
  }
  double all = 0;
  for (int i = 0; i < doubleLanes; ++i) all = largest[i] > all ? largest[i] : all;
  return all;
}

// Gathers the pairs [begin, begin + count) of a round. The pairing is a round-robin tournament: one player keeps its
// seat and the others move on by one seat each round, so that `players` − 1 rounds pair everyone with everyone.
EIGENAE_INLINE void gatherPairs(const double* columns, std::size_t stride, const double* squares, int players,
                                int round, int begin, int count, Pairs& pairs) {
  const int others = players - 1;
  for (int i = 0; i < count; ++i) {
    const int seat = begin + i, up = round + seat, down = round - seat;
    const int first = pairs.first[i] = seat == 0 ? others : up < others ? up : up - others;
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

EIGENAE_INLINE void squareLengths(const double* columns, std::size_t stride, int width, double* squares) {
  for (int i = 0; i < width; ++i) squares[i] = dot(columns + i * stride, columns + i * stride, stride);
}

// Rotates pairs of columns until all columns are orthogonal (one-sided Jacobi, Hestenes 1958). The length of each
// column is then a singular value. A round takes every column once, so its pairs are independent and the processor
// works on several at once. If `width` is odd, a column of zeros must follow the last one.
//
// Convergence is quadratic: after a sweep that found no angle larger than 1e-5, the remaining angles are below 1e-10,
// so that sweep is the last. `squares` [width, rounded up to even] is updated during a sweep and computed afresh after
// it.
void orthogonalise(double* columns, std::size_t stride, int width, double* squares, const std::int32_t* stop) {
  const double rounding = 2.3e-16 * (4 + width / 8);  // relative rounding error of an inner product
  constexpr double lastSweep = 1e-10;                 // the square of the sine 1e-5
  constexpr int maximalSweeps = 40;  // five to nine are needed; the bound is for input that is not finite
  const int players = width + width % 2;
  Pairs pairs;
  squareLengths(columns, stride, players, squares);
  double largest = players > 1 ? 1 : 0;
  for (int sweep = 0; largest > lastSweep && sweep < maximalSweeps; ++sweep) {
    largest = 0;
    for (int round = 0; round + 1 < players; ++round) {
      if (isStopped(stop)) return;
      for (int begin = 0; begin < players / 2; begin += Pairs::maximal) {
        const int count = players / 2 - begin < Pairs::maximal ? players / 2 - begin : Pairs::maximal;
        gatherPairs(columns, stride, squares, players, round, begin, count, pairs);
        const double found = findRotations(pairs, count, rounding);
        if (found == 0) continue;
        if (found > largest) largest = found;
        rotate(pairs, count, columns, stride, squares);
      }
    }
    squareLengths(columns, stride, players, squares);
  }
}

// out [rows][stride] = columns · diag(weights) · columnsᵀ, for `width` columns of length `rows`.
void weightedSquare(const double* columns, std::size_t stride, int width, int rows, const double* weights,
                    double* out) {
  for (std::size_t k = 0; k < stride; k += doubleLanes) {
    for (int r = 0; r < rows; r += 4) {
      const int some = rows - r < 4 ? rows - r : 4;
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

// Computes one or two vectors of up to four columns of `columns · matrix`.
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

// out = columns · matrix, for a symmetric matrix [width][width] whose columns are matrixStride apart.
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
