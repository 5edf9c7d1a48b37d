// The sums whose parts are summed up by several members of a team, see core/slices.h.
#pragma once

#include "kernels.h"
#include "vector.h"

namespace eigenae {
namespace {

// Of what loadAt makes of a place in a part.
template <typename LoadAt>
EIGENAE_INLINE auto sumOf(const Parts& parts, LoadAt loadAt) {
  const float* const* part = parts.parts;
  decltype(loadAt(*part)) total{};
  for (int group = 0; group < parts.groups; ++group) {
    auto sum = loadAt(*part++);
    for (int j = 1; j < parts.counts[group]; ++j) sum += loadAt(*part++);
    total = group == 0 ? sum : total + sum;
  }
  return total;
}

}  // namespace
}  // namespace eigenae
