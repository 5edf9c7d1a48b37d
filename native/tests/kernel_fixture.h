// Shared by the tests of kernels: every instruction set that this machine has, odd sizes, and the tolerance of
// products.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "../core/instruction_set.h"
#include "../core/packed_factor.h"
#include "../core/product_scope.h"
#include "panels.h"

namespace eigenae {

inline void PrintTo(const InstructionSet& set, std::ostream* out) { *out << set.name; }

}  // namespace eigenae

namespace eigenae::testing {

inline const int oddSizes[] = {1, 3, 5, 7, 13, 17, 31, 64, 97};

// All pairs of odd sizes, and two shapes that are larger than any tile.
inline std::vector<std::pair<int, int>> shapes() {
  std::vector<std::pair<int, int>> pairs{{70, 301}, {301, 70}};
  for (const int first : oddSizes) {
    for (const int second : oddSizes) pairs.emplace_back(first, second);
  }
  return pairs;
}

class KernelTest : public ::testing::TestWithParam<InstructionSet> {
 protected:
  const Kernels& kernels() const { return *GetParam().kernels; }
  int width() const { return kernels().panelColumns; }
  PackedFactor pack(PanelMatrix& b, int depth, int columns = 1) {
    const int panels = (columns + width() - 1) / width();
    packer_.reserve(depth, panels);
    return packer_.pack(b.data(), b.stride(), depth, panels);
  }

 private:
  const ProductScope use_{kernels()};
  FactorPacker packer_{kernels()};
};

#define EIGENAE_EVERY_INSTRUCTION_SET(SUITE)                                                            \
  INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, SUITE, ::testing::ValuesIn(supportedInstructionSets()), \
                           [](const auto& info) {                                                       \
                             std::string name = info.param.name;                                        \
                             for (char& c : name) c = c == '-' ? '_' : c;                               \
                             return name;                                                               \
                           })

// Tolerance of a sum of products relative to Σ|ab|: three to four roundings of float sums of these depths. It also
// covers the products of components that AMX tiles neglect.
constexpr double exactness = 4 * 0x1p-24;

// A sum of products and Σ|ab|, to which its tolerance is relative.
struct Product {
  double sum = 0, size = 0;

  void add(double a, double b) {
    sum += a * b;
    size += std::abs(a * b);
  }
};

}  // namespace eigenae::testing
