// What the tests of kernels share: every instruction set that this machine has, odd sizes, and how exact a product is.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "../core/instruction_set.h"
#include "../core/kernel_use.h"
#include "../core/prepared.h"
#include "panels.h"

namespace eigenae {

inline void PrintTo(const InstructionSet& set, std::ostream* out) { *out << set.name; }

}  // namespace eigenae

namespace eigenae::testing {

inline const int oddSizes[] = {1, 3, 5, 7, 13, 17, 31, 64, 97};

// All pairs of them, and two that are larger than what any kernel does in one go.
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
  PreparedFactor prepared(PanelMatrix& b, int depth, int columns = 1) {
    const int panels = (columns + width() - 1) / width();
    prepared_.reserve(depth, panels);
    return prepared_(b.data(), b.stride(), depth, panels);
  }

 private:
  const KernelUse use_{kernels()};
  Prepared prepared_{kernels()};
};

#define EIGENAE_EVERY_INSTRUCTION_SET(SUITE)                                                                      \
  INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, SUITE, ::testing::ValuesIn(supportedInstructionSets()),           \
                           [](const auto& info) {                                                                 \
                             std::string name = info.param.name;                                                  \
                             for (char& c : name) c = c == '-' ? '_' : c;                                         \
                             return name;                                                                         \
                           })

// Beside the sum of the sizes of their products: three to four roundings of float32 sums of these depths, or the parts of
// a product that tiles leave out and as many roundings.
constexpr double exactness = 4 * 0x1p-24;

// The product of two rows of numbers, and how large it can be beside rounding.
struct Product {
  double sum = 0, size = 0;

  void add(double a, double b) {
    sum += a * b;
    size += std::abs(a * b);
  }
};

}  // namespace eigenae::testing
