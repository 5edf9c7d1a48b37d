// A formula for one width of a layer, as src/formulas/tape.ts passes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace eigenae {

// Numbers of images, singular values, means, variances and covariances of a layer.
enum class FormulaInput { images, sigma, mean, variance, covariance };
constexpr int formulaInputs = 5;

struct Tape {
  static constexpr int nowhere = -1;

  int width = 0;
  std::vector<int> code;  // instructions of execute.h
  std::vector<double> constants;
  int scratchSize = 0;
  // Places in the scratch. The derivatives are in the shapes of their inputs; images have none.
  int value = 0;
  int inputs[formulaInputs] = {};
  int derivatives[formulaInputs] = {};

  int input(FormulaInput input) const { return inputs[static_cast<int>(input)]; }
  int derivative(FormulaInput input) const { return derivatives[static_cast<int>(input)]; }
  bool uses(FormulaInput input) const { return this->input(input) != nowhere; }
  // Whether it depends on each unit's mean and variance alone.
  bool isOfUnits() const { return !uses(FormulaInput::sigma) && !uses(FormulaInput::covariance); }
  int instructions() const;
};

// Decodes a tape and checks that no instruction leaves its scratch. Throws std::invalid_argument.
Tape decodeTape(const std::uint32_t* words, std::size_t wordCount, const double* constants, std::size_t constantCount,
                int width);

}  // namespace eigenae
