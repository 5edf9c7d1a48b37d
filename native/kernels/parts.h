// The sums whose parts are summed up by several members of a team, see core/slices.h.
#pragma once

#include "kernels.h"
#include "vector.h"

namespace eigenae {
namespace {

EIGENAE_INLINE Floats sumOf(const Parts& parts, int i) {
  const float* const* part = parts.parts;
  Floats total{};
  for (int group = 0; group < parts.groups; ++group) {
    Floats sum = load(*part++ + i);
    for (int j = 1; j < parts.counts[group]; ++j) sum += load(*part++ + i);
    total = group == 0 ? sum : total + sum;
  }
  return total;
}

}  // namespace
}  // namespace eigenae
