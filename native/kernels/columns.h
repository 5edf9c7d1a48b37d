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

// Calls visit(place, sum) for each vector of so many numbers, with as many sums in turn as one takes cycles; returns all.
template <typename Visit>
EIGENAE_INLINE double sumOver(std::size_t size, Visit visit) {
  constexpr int count = 4;
  Doubles sums[count] = {};
  std::size_t i = 0;
  for (; i + count * doubleLanes <= size; i += count * doubleLanes) {
    EIGENAE_UNROLL
    for (int s = 0; s < count; ++s) visit(i + s * doubleLanes, sums[s]);
  }
  for (; i < size; i += doubleLanes) visit(i, sums[0]);
  return sumOf((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

EIGENAE_INLINE double dot(const double* a, const double* b, std::size_t size) {
  return sumOver(size, [&](std::size_t i, Doubles& sum) { sum += at(a + i) * at(b + i); });
}

EIGENAE_INLINE bool isSet(const std::int32_t* word) { return __atomic_load_n(word, __ATOMIC_RELAXED) != 0; }

// other −= share · unit; returns the square of its length.
EIGENAE_INLINE double takeOff(double share, const double* unit, double* other, std::size_t size) {
  return sumOver(size, [&](std::size_t i, Doubles& sum) {
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
  return sumOf(sum);
}

// Gram–Schmidt, modified, the longest column first: columns = Q · R. Row i of R becomes column i of `rows` [width + 1],
// behind the last one comes one of zeros. Returns how many rows there are; −1 where a column is not finite.
//
// `noise` comes with what each column's squared length has lost already, and becomes the square of what rounding may be in
// the column: `rounding` of its whole length, and what a pivot that is taken off it brings along. Where no more than that
// is left of a column, it stays there, and the column has no part in further rows. `order` gets the pivots, then those
// columns. `squares` is room.
int triangularFactor(double* columns, std::size_t stride, int width, double rounding, double* rows,
                     std::size_t rowStride, double* squares, double* noise, int* order,
                     const std::int32_t* stop) {
  for (int j = 0; j < width; ++j) {
    squares[j] = dot(columns + j * stride, columns + j * stride, stride);
    if (!(squares[j] <= __DBL_MAX__)) return -1;
    noise[j] = rounding * rounding * (squares[j] + noise[j]);
    order[j] = j;
  }
  int end = width;  // of what is not rounding alone
  for (int i = 0;; ++i, rows += rowStride) {
    for (std::size_t j = 0; j < rowStride; ++j) rows[j] = 0;
    int longest = i;
    for (int place = i; place < end;) {
      const int j = order[place];
      if (squares[j] <= noise[j]) {
        order[place] = order[--end];
        order[end] = j;
        continue;
      }
      if (squares[j] > squares[order[longest]]) longest = place;
      ++place;
    }
    if (i == end || isSet(stop)) return i;
    const int pivot = order[longest];
    order[longest] = order[i];
    order[i] = pivot;

    double* unit = columns + pivot * stride;
    const double length = __builtin_sqrt(squares[pivot]), scale = 1 / length;
    rows[pivot] = length;
    for (std::size_t k = 0; k < stride; k += doubleLanes) at(unit + k) *= scale;
    for (int place = i + 1; place < end; ++place) {
      const int j = order[place];
      double* other = columns + j * stride;
      rows[j] = dot(unit, other, stride);
      squares[j] = takeOff(rows[j], unit, other, stride);
      const double part = rows[j] * scale;
      noise[j] += part * part * noise[pivot];
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

// The rotations that make the pairs orthogonal, none where they are to rounding, and the squares after them; returns the
// square of the largest sine, of a rotation or of what the columns' angle lacks of a right one. For p = product,
// δ = difference of the squares, h² = δ² + 4p² and u = |δ| + h, the cosine is u / √(2hu) and the sine 2p / √(2hu). The
// longer column's square gains 2p² / u and the shorter's loses it: computed as (sum ± h) / 2 the shorter's would be lost
// where lengths differ much, and codes of a low rank take thirty sweeps.
EIGENAE_INLINE double findRotations(Pairs& pairs, int count, double rounding) {
  Doubles largest{};
  for (int i = 0; i < count; i += doubleLanes) {
    const Doubles product = at(pairs.product + i), first = at(pairs.firstSquare + i);
    const Doubles second = at(pairs.secondSquare + i);
    const Masks rotates = (Masks)(product * product > (rounding * first) * (rounding * second));
    const Doubles difference = second - first, twice = 2.0 * product;
    const Doubles h = squareRoot(difference * difference + twice * twice);
    const Masks falls = (Masks)(difference < 0.0);
    const Doubles u = chosen(falls, -difference, difference) + h;
    const Doubles scale = 1.0 / squareRoot(2.0 * h * u);
    const Doubles sine = twice * scale, shift = twice * product / u;
    at(pairs.cosine + i) = chosen(rotates, u * scale, Doubles{} + 1.0);
    const Doubles signedSine = chosen(rotates, chosen(falls, -sine, sine), Doubles{});
    at(pairs.sine + i) = signedSine;
    const Doubles turned = signedSine * signedSine;
    const Doubles oblique = chosen(rotates, product * product / (first * second), Doubles{});
    const Doubles larger = chosen((Masks)(turned > oblique), turned, oblique);
    largest = chosen((Masks)(larger > largest), larger, largest);
    const Doubles signedShift = chosen(rotates, chosen(falls, -shift, shift), Doubles{});
    at(pairs.firstSquare + i) = notNegative(first - signedShift);
    at(pairs.secondSquare + i) = notNegative(second + signedShift);
  }
  double all = 0;
  for (int i = 0; i < doubleLanes; ++i) all = largest[i] > all ? largest[i] : all;
  return all;
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

EIGENAE_INLINE void squareLengths(const double* columns, std::size_t stride, int width, double* squares) {
  for (int i = 0; i < width; ++i) squares[i] = dot(columns + i * stride, columns + i * stride, stride);
}

// Rotates pairs of columns until all are orthogonal (Hestenes' method). Each round takes every column once, so that its
// pairs are independent and the processor can work on all of them at once. The column behind the last, if `width` is odd,
// must be zeros. What a sweep leaves over is as small as the square of what it found: the last one is that which finds
// columns at right angles, and turns them, to 1e-5. The squares [width, made even] are followed through a sweep and computed
// anew behind it.
void orthogonalise(double* columns, std::size_t stride, int width, double* squares, const std::int32_t* stop) {
  const double rounding = 2.3e-16 * (4 + width / 8);  // of a sum of products
  constexpr double lastSweep = 1e-10;                 // the square of that
  constexpr int maximalSweeps = 40;                   // five to nine are needed; a bound in case the input is not finite
  const int players = width + width % 2;
  Pairs pairs;
  squareLengths(columns, stride, players, squares);
  double largest = players > 1 ? 1 : 0;
  for (int sweep = 0; largest > lastSweep && sweep < maximalSweeps; ++sweep) {
    largest = 0;
    for (int round = 0; round + 1 < players; ++round) {
      if (isSet(stop)) return;
      for (int begin = 0; begin < players / 2; begin += Pairs::maximal) {
        const int count = players / 2 - begin < Pairs::maximal ? players / 2 - begin : Pairs::maximal;
        pairUp(columns, stride, squares, players, round, begin, count, pairs);
        const double found = findRotations(pairs, count, rounding);
        if (found == 0) continue;
        if (found > largest) largest = found;
        rotate(pairs, count, columns, stride, squares);
      }
    }
    squareLengths(columns, stride, players, squares);
  }
}

// out [rows][stride] = columns · diag(weights) · columnsᵀ for so many columns [rows].
void weightedSquare(const double* columns, std::size_t stride, int width, int rows, const double* weights, double* out) {
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
