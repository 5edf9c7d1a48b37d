// Symmetric matrices [latentStride]² in shared memory, in double, by one warp.
#pragma once

#include "layout.h"
#include "numerics.h"

namespace eigenae {
namespace cuda {

constexpr int warpSize = 32;
DEV int lane() { return thread() % warpSize; }

// Pair `p` of a round of the circle method, first < second: latentStride − 1 rounds of disjoint pairs make all pairs.
struct Pair {
  int first, second;
};
DEV Pair pairOf(int round, int p) {
  constexpr int n = latentStride - 1;
  const int a = p == 0 ? n : (round + p) % n, b = p == 0 ? round : (round - p + n) % n;
  return a < b ? Pair{a, b} : Pair{b, a};
}

struct Rotation {
  double cosine, sine;
};

// Returns the rotation that makes element (p, q) 0 but for a factor of 1e-7, which the next sweep removes: the tangent
// is computed in single precision, the rotation from it is orthogonal in double. `difference` is a_qq − a_pp.
DEV Rotation rotationOf(float element, float difference) {
  if (element == 0) return {1, 0};
  const float zeta = divide(difference, 2 * element), size = zeta < 0 ? -zeta : zeta;
  const float size1 = reciprocal(size + squareRoot(fma(zeta, zeta, 1.0f)));
  const double tangent = zeta < 0 ? -size1 : size1, square = fma(tangent, tangent, 1.0);
  // Newton's iteration for 1 / √square.
  double cosine = reciprocal(squareRoot(static_cast<float>(square)));
  cosine *= fma(-0.5 * square, cosine * cosine, 1.5);
  cosine *= fma(-0.5 * square, cosine * cosine, 1.5);
  return {cosine, tangent * cosine};
}

struct JacobiSpace {
  double *cosines, *sines;  // [latentStride / 2]
  double* flags;            // [warpSize]
};

// Makes the columns of v the eigenvectors of a, whose trace is 1 / inverseTrace, by rotations of disjoint pairs (cyclic
// Jacobi). a becomes diagonal. The caller has synchronised a; v is set here.
DEV void diagonalise(double* a, double* v, double inverseTrace, const JacobiSpace& space) {
  constexpr int n = latentStride, half = n / 2, maximalSweeps = 15;
  static_assert(half <= warpSize, "a thread has a pair at most");
  for (int e = lane(); e < n * n; e += warpSize) v[e] = e / n == e % n ? 1 : 0;
  for (int sweep = 0; sweep < maximalSweeps; ++sweep) {
    bool rotates = false;
    for (int round = 0; round < n - 1; ++round) {
      if (lane() < half) {
        const Pair pair = pairOf(round, lane());
        const double first = a[pair.first * n + pair.first] * inverseTrace;
        const double second = a[pair.second * n + pair.second] * inverseTrace;
        const double element = a[pair.first * n + pair.second] * inverseTrace, square = element * element;
        // Relative to the pair's own elements, so that small eigenvalues are exact too, down to rounding errors.
        rotates = rotates || (square > 1e-28 * (first * second) && square > 1e-36);
        const Rotation rotation = rotationOf(static_cast<float>(element), static_cast<float>(second - first));
        space.cosines[lane()] = rotation.cosine;
        space.sines[lane()] = rotation.sine;
      }
      syncWarp();  // the rotations are there
      // Each element belongs to one pair of rows and one of columns, so the 2 × 2 blocks of both are rotated in place.
      for (int e = lane(); e < half * half; e += warpSize) {
        const int p = e / half, q = e % half;
        const Pair rows = pairOf(round, p), columns = pairOf(round, q);
        double* const upper = a + rows.first * n;
        double* const lower = a + rows.second * n;
        const double c = space.cosines[q], s = space.sines[q], rowC = space.cosines[p], rowS = space.sines[p];
        const double upper1 = fma(c, upper[columns.first], -s * upper[columns.second]);
        const double upper2 = fma(s, upper[columns.first], c * upper[columns.second]);
        const double lower1 = fma(c, lower[columns.first], -s * lower[columns.second]);
        const double lower2 = fma(s, lower[columns.first], c * lower[columns.second]);
        upper[columns.first] = fma(rowC, upper1, -rowS * lower1);
        upper[columns.second] = fma(rowC, upper2, -rowS * lower2);
        lower[columns.first] = fma(rowS, upper1, rowC * lower1);
        lower[columns.second] = fma(rowS, upper2, rowC * lower2);
      }
      for (int e = lane(); e < n * half; e += warpSize) {
        const Pair columns = pairOf(round, e % half);
        double* const row = v + e / half * n;
        const double c = space.cosines[e % half], s = space.sines[e % half];
        const double first = row[columns.first], second = row[columns.second];
        row[columns.first] = fma(c, first, -s * second);
        row[columns.second] = fma(s, first, c * second);
      }
      syncWarp();  // the matrices are rotated
    }
    space.flags[lane()] = rotates ? 1 : 0;
    syncWarp();  // the flags are there
    bool any = false;
    for (int i = 0; i < warpSize; ++i) any = any || space.flags[i] != 0;
    if (!any) return;
  }
}

// Replaces the lower triangle of a, below the diagonal, by the factor L of a = L Lᵀ, and the diagonal by the squares of
// L's, whose roots go to `pivots` [latent]. Writes the inverse of a. The caller has synchronised a. inverse is complete
// after the caller's next syncWarp().
DEV void invert(double* a, double* inverse, double* pivots) {
  constexpr int n = latentStride;
  for (int k = 0; k < latent; ++k) {
    for (int i = k + lane(); i < latent; i += warpSize) {
      double sum = a[i * n + k];
      for (int p = 0; p < k; ++p) sum = fma(-a[i * n + p], a[k * n + p], sum);
      a[i * n + k] = sum;
    }
    syncWarp();  // column k is there, not yet scaled
    const double pivot = squareRoot(a[k * n + k]);
    for (int i = k + lane(); i < latent; i += warpSize) {
      if (i == k) {
        pivots[k] = pivot;
      } else {
        a[i * n + k] = divide(a[i * n + k], pivot);
      }
    }
    syncWarp();  // column k is scaled
  }
  // A thread solves L Lᵀ x = e for some columns x of the inverse.
  for (int c = lane(); c < latent; c += warpSize) {
    for (int i = 0; i < latent; ++i) {
      double sum = i == c ? 1 : 0;
      for (int p = 0; p < i; ++p) sum = fma(-a[i * n + p], inverse[p * n + c], sum);
      inverse[i * n + c] = divide(sum, pivots[i]);
    }
    for (int i = latent - 1; i >= 0; --i) {
      double sum = inverse[i * n + c];
      for (int p = i + 1; p < latent; ++p) sum = fma(-a[p * n + i], inverse[p * n + c], sum);
      inverse[i * n + c] = divide(sum, pivots[i]);
    }
  }
}

}  // namespace cuda
}  // namespace eigenae
