// The formulas of the tests. scripts/building/test-tapes.mjs writes tapes.cc from the table of kinds in
// src/config/eigen-loss-kinds.ts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>

#include "../formulas/tape.h"

namespace eigenae::testing {

struct TapeRow {
  const char* name;
  int width;
  std::size_t words, wordCount, constants, constantCount;
};

extern const TapeRow tapeRows[];
extern const std::size_t tapeRowCount;
extern const std::uint32_t tapeWords[];
extern const double tapeConstants[];

inline Tape tapeNamed(const std::string& name, int width) {
  for (std::size_t i = 0; i < tapeRowCount; ++i) {
    const TapeRow& row = tapeRows[i];
    if (row.name != name || row.width != width) continue;
    return decodeTape(tapeWords + row.words, row.wordCount, tapeConstants + row.constants, row.constantCount, width);
  }
  throw std::invalid_argument("scripts/building/test-tapes.mjs writes no " + name + " of " + std::to_string(width));
}

// A kind of eigen loss with the value of its parameter, if it has one.
struct EigenLossCase {
  std::string kind;
  double parameter = 0;
  bool center = false;
  // Adds ln d to the value, so that an additional dead dimension changes it by a known amount.
  bool hasLogOfWidth = false;

  Tape formula(int width) const {
    std::ostringstream name;
    name << kind;
    // A layer of one unit has one singular value, not two.
    if (parameter != 0) name << ' ' << (kind == "top-k" ? std::min<double>(parameter, width) : parameter);
    if (center) name << " centred";
    return tapeNamed(name.str(), width);
  }
};

}  // namespace eigenae::testing
