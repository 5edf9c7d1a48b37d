// The singular values of a matrix from its Gram matrix, by one warp, in shared memory: the triangular factor, which
// keeps singular values down to the rounding of the embedding, then one-sided Jacobi rotations of its rows, in few
// sweeps because they are nearly orthogonal (Drmač and Veselić, "New fast and accurate Jacobi SVD algorithm", 2008).
#pragma once

#include "layout.h"
#include "numerics.h"

namespace eigenae {
namespace cuda {

constexpr int warpSize = 32;
DEV int lane() { return thread() % warpSize; }

constexpr double squareOfRounding = 1.0 / (1ll << 42);  // relative: the embedding's sums are in float
// A row is at most this long, so that products of two squared lengths are normal floats, except of rounding errors.
constexpr double largestLength = 1 << 20;

// Factorises a = RᵀR by Cholesky's method, with the largest remaining square as pivot. `squares` has a's diagonal, and
// `noise` the square of the rounding error that each column may contain; both change. A column that is no longer than
// its error takes no part in further rows (triangularFactor in native/kernels/columns.h).
DEV void factorise(const double* a, double* squares, double* noise, double* r) {
  constexpr int n = latentStride;
  for (int row = 0; row < n; ++row) {
    int pivot = 0;
    double square = 0;
    for (int j = 0; j < n; ++j) {
      if (!(squares[j] > noise[j] && squares[j] > square)) continue;
      pivot = j;
      square = squares[j];
    }
    const double pivotNoise = noise[pivot], scale = square > 0 ? divide(1.0, squareRoot(square)) : 0;
    syncWarp();  // the pivot has been read
    for (int j = lane(); j < n; j += warpSize) {
      double value = 0;
      if (squares[j] > noise[j]) {
        value = a[pivot * n + j];
        for (int i = 0; i < row; ++i) value = fma(-r[i * n + pivot], r[i * n + j], value);
        value *= scale;
        const double ratio = value * scale;
        squares[j] = j == pivot ? 0 : fma(-value, value, squares[j]);
        noise[j] = fma(ratio * ratio, pivotNoise, noise[j]);
      }
      r[row * n + j] = value;
    }
    syncWarp();  // the row is there
  }
}

// Pair `p` of a round of the circle method: latentStride − 1 rounds of disjoint pairs make all pairs.
struct Pair {
  int first, second;
};
DEV Pair pairOf(int round, int p) {
  constexpr int n = latentStride - 1;
  return {p == 0 ? n : (round + p) % n, p == 0 ? round : (round - p + n) % n};
}

// Rotates pairs of rows until all are orthogonal (Hestenes 1958), as orthogonalise in native/kernels/columns.h does.
// The tangent is computed in float, and the rotation from it in double: with rows in float, golden cases fail.
// Convergence is quadratic, so a sweep without an angle of more than 3e-4 is the last. The threads of a team rotate a
// pair together. `squares` [latentStride] and `sums` [warpSize] are scratch space.
DEV void orthogonalise(double* rows, float* squares, double* sums) {
  constexpr int n = latentStride, half = n / 2, maximalSweeps = 15;
  static_assert(half <= warpSize, "a pair has a thread at least");
  constexpr int share = divideUp(latent, warpSize / half), team = divideUp(latent, share);  // elements, and threads
  constexpr float rounding = 1.2e-7f, lastSweep = 1e-7f;
  const int member = lane() % team, pairIndex = lane() / team;
  for (int sweep = 0; sweep < maximalSweeps; ++sweep) {
    for (int j = lane(); j < n; j += warpSize) {
      double sum = 0;
      for (int k = 0; k < latent; ++k) sum = fma(rows[j * n + k], rows[j * n + k], sum);
      squares[j] = sum;
    }
    syncWarp();  // the squares are there
    bool rotates = false;
    for (int round = 0; round < n - 1; ++round) {
      const Pair pair = pairOf(round, pairIndex < half ? pairIndex : 0);
      double *const p = rows + pair.first * n + member, *const q = rows + pair.second * n + member;
      const float first = squares[pair.first], second = squares[pair.second];
      double part = 0;
#pragma unroll
      for (int i = 0; i < share; ++i)
        if (member + i * team < latent) part = fma(p[i * team], q[i * team], part);
      sums[lane()] = part;
      syncWarp();  // the parts are there, and the squares have been read
      if (pairIndex < half) {
        double whole = 0;
        for (int i = 0; i < team; ++i) whole += sums[pairIndex * team + i];
        const float product = whole, square = product * product;
        if (square > 0 && square > rounding * first * (rounding * second)) {
          const float difference = second - first, twice = 2 * product;
          const float h = squareRoot(fma(difference, difference, twice * twice));
          const float u = (difference < 0 ? -difference : difference) + h;
          const float slope = divide(difference < 0 ? -twice : twice, u), shift = slope * product;
          const double tangent = slope, square1 = fma(tangent, tangent, 1.0);
          double cosine = reciprocal(squareRoot(static_cast<float>(square1)));
          cosine *= fma(-0.5 * square1, cosine * cosine, 1.5);
          const double sine = tangent * cosine;
          rotates = rotates || square > lastSweep * first * second || sine * sine > lastSweep;
          if (member == 0) {
            squares[pair.first] = first - shift;
            squares[pair.second] = second + shift;
          }
#pragma unroll
          for (int i = 0; i < share; ++i) {
            if (member + i * team >= latent) continue;
            const double x = p[i * team], y = q[i * team];
            p[i * team] = fma(cosine, x, -sine * y);
            q[i * team] = fma(sine, x, cosine * y);
          }
        }
      }
      syncWarp();  // the rows are rotated
    }
    sums[lane()] = rotates ? 1 : 0;
    syncWarp();  // the flags are there
    double any = 0;
    for (int i = 0; i < half * team; i += team) any += sums[i];
    if (any == 0) return;
  }
}

}  // namespace cuda
}  // namespace eigenae
