// Batch norm on panels [features][images]. A row is one feature; statistics are arrays [features].
#pragma once

#include "activations.h"

namespace eigenae {
namespace {

void moments(const float* x, int rows, int validColumns, float* mean, float* squares) {
  const ColumnMask mask(validColumns);
  const float share = 1.0f / validColumns;
  for (int r = 0; r < rows; ++r, x += panel) {
    const Floats lower = load(x), upper = load(x + lanes);
    mean[r] = horizontalSum(masked(lower, mask.lower) + masked(upper, mask.upper)) * share;
    const Floats centre = broadcast(mean[r]);
    const Floats a = masked(lower - centre, mask.lower), b = masked(upper - centre, mask.upper);
    squares[r] = horizontalSum(a * a + b * b);
  }
}

void normalise(const float* mean, const float* inverse, const float* gamma, const float* beta, int rows, bool applyRelu,
               float* x, float* out) {
  for (int r = 0; r < rows; ++r) {
    const Floats centre = broadcast(mean[r]), factor = broadcast(inverse[r]);
    const Floats scale = broadcast(gamma[r]), shift = broadcast(beta[r]);
    for (int c = r * panel; c < (r + 1) * panel; c += lanes) {
      const Floats normalised = (load(x + c) - centre) * factor;
      const Floats y = normalised * scale + shift;
      store(x + c, normalised);
      store(out + c, applyRelu ? relu(y) : y);
    }
  }
}

void normaliseSums(const float* gradient, const float* normalised, int rows, int validColumns, float* sums,
                   float* products) {
  const ColumnMask mask(validColumns);
  for (int r = 0; r < rows; ++r, gradient += panel, normalised += panel) {
    const Floats lower = masked(load(gradient), mask.lower), upper = masked(load(gradient + lanes), mask.upper);
    sums[r] = horizontalSum(lower + upper);
    products[r] = horizontalSum(lower * load(normalised) + upper * load(normalised + lanes));
  }
}

void normaliseBackward(const float* normalised, const float* scale, const float* mean, const float* projection,
                       int rows, float* gradient) {
  for (int r = 0; r < rows; ++r) {
    const Floats factor = broadcast(scale[r]), centre = broadcast(mean[r]), slope = broadcast(projection[r]);
    for (int c = r * panel; c < (r + 1) * panel; c += lanes) {
      store(gradient + c, factor * (load(gradient + c) - centre - load(normalised + c) * slope));
    }
  }
}

void scaleShift(const float* scale, const float* shift, int rows, bool applyRelu, float* x) {
  for (int r = 0; r < rows; ++r) {
    for (int c = r * panel; c < (r + 1) * panel; c += lanes) {
      const Floats y = load(x + c) * broadcast(scale[r]) + broadcast(shift[r]);
      store(x + c, applyRelu ? relu(y) : y);
    }
  }
}

}  // namespace
}  // namespace eigenae
