// Compares the updates of every optimiser, with and without averages, with the reference on odd sizes.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "../core/optimizer_step.h"
#include "../core/sparse_factor.h"
#include "../reference/reference.h"
#include "kernel_fixture.h"

namespace eigenae {
namespace {

using testing::PanelMatrix;
using testing::shapes;

constexpr double learningRate = 0.005;

struct UpdateCase {
  InstructionSet set;
  const char* name;
  TrainerSpec spec;
};

void PrintTo(const UpdateCase& update, std::ostream* out) { *out << update.set.name << ' ' << update.name; }

std::vector<UpdateCase> updateCases() {
  std::vector<UpdateCase> all;
  for (const InstructionSet& set : supportedInstructionSets()) {
    const auto add = [&](const char* name, OptimizerSpec optimizer, std::optional<double> averaging) {
      TrainerSpec spec;
      spec.optimizer = optimizer;
      spec.averaging = averaging;
      all.push_back({set, name, spec});
    };
    add("adam", AdamSpec{.beta1 = 0.8}, {});
    add("adam_averaged", AdamSpec{}, 0.9);
    add("adamw", AdamSpec{.weightDecay = 0.3}, {});
    add("adamw_averaged", AdamSpec{.weightDecay = 0.3}, 0.7);
    add("sgd", SgdSpec{}, {});
    add("momentum", SgdSpec{.momentum = 0.9}, {});
    add("nesterov_averaged", SgdSpec{.momentum = 0.9, .nesterov = true}, 0.9);
  }
  return all;
}

// Numbers at one place of the arrays.
struct Trained {
  float parameter, firstMoment, secondMoment, average;
};

Trained plainUpdate(const TrainerSpec& spec, std::int64_t step, float gradient, bool isWeight, Trained numbers) {
  auto& [parameter, first, second, mean] = numbers;
  if (spec.averaging) average(*spec.averaging, step - 1, &parameter, 1, &mean);  // the step before moved none
  if (const AdamSpec* adam = std::get_if<AdamSpec>(&spec.optimizer)) {
    if (isWeight) decayWeights(*adam, learningRate, 1, &parameter);
    adamStep(*adam, learningRate, step, &gradient, 1, &parameter, &first, &second);
  } else {
    sgdStep(std::get<SgdSpec>(spec.optimizer), learningRate, &gradient, 1, &parameter, &first);
  }
  if (spec.averaging) average(*spec.averaging, step, &parameter, 1, &mean);
  return numbers;
}

// Random trained numbers in panels. Second moments are at least 0.01, so that Adam does not magnify rounding errors.
struct TrainedPanels {
  PanelMatrix parameters, firstMoments, secondMoments, averages;

  TrainedPanels(const Kernels& kernels, int rows, int columns)
      : parameters(kernels, rows, columns, 3),
        firstMoments(kernels, rows, columns, 4),
        secondMoments(kernels, rows, columns, 5),
        averages(kernels, rows, columns, 6) {
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) secondMoments.at(r, c) = 0.01f + std::abs(secondMoments.at(r, c));
    }
  }
  TrainedArrays places(bool averaged) {
    return {parameters.data(), firstMoments.data(), secondMoments.data(), averaged ? averages.data() : nullptr};
  }
  Trained at(int row, int column) {
    return {parameters.at(row, column), firstMoments.at(row, column), secondMoments.at(row, column),
            averages.at(row, column)};
  }
};

class Update : public ::testing::TestWithParam<UpdateCase> {
 protected:
  const Kernels& kernels() const { return *GetParam().set.kernels; }
  const TrainerSpec& spec() const { return GetParam().spec; }
  bool averaged() const { return spec().averaging.has_value(); }
  const UpdateKernels& updates() const { return kernels().updatesOf(optimizerOf(spec()), averaged()); }
  OptimizerStep factors(std::int64_t step) const { return stepFactors(spec(), step, learningRate); }

  // Includes the numbers that an optimiser leaves alone.
  void expectNear(const Trained& actual, const Trained& expected, double gradientError) const {
    EXPECT_NEAR(actual.parameter, expected.parameter, 1e-6 + gradientError);
    EXPECT_NEAR(actual.firstMoment, expected.firstMoment, 1e-6 + gradientError);
    EXPECT_NEAR(actual.secondMoment, expected.secondMoment, 1e-6 + gradientError);
    EXPECT_NEAR(actual.average, expected.average, 1e-6 + gradientError);
  }

 private:
  const ProductScope use_{*GetParam().set.kernels};
};

INSTANTIATE_TEST_SUITE_P(EveryOptimizer, Update, ::testing::ValuesIn(updateCases()), [](const auto& info) {
  std::string name = info.param.set.name + std::string("_") + info.param.name;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

float productAt(PanelMatrix& a, PanelMatrix& b, int row, int column, int depth) {
  double sum = 0;
  for (int k = 0; k < depth; ++k) sum += static_cast<double>(a.at(row, k)) * b.at(k, column);
  return static_cast<float>(sum);
}

TEST_P(Update, OfWeightsIsThatOfTheReference) {
  for (const auto& [rows, depth] : shapes()) {
    const int columns = rows * depth % 41 + 1, panels = (columns + kernels().panelColumns - 1) / kernels().panelColumns;
    PanelMatrix a(kernels(), rows, depth, 1), b(kernels(), depth, columns, 2);
    FactorPacker packer(kernels());
    packer.reserve(depth, panels);
    const PackedFactor factor = packer.pack(b.data(), b.stride(), depth, panels);
    TrainedPanels before(kernels(), rows, columns), dense(kernels(), rows, columns), sparse(kernels(), rows, columns);
    updates().weights(a.data(), a.stride(), rows, depth, factor.data, factor.stride, columns, dense.places(averaged()),
                      dense.parameters.stride(), factors(3));
    SparseFactor listed(kernels(), rows, depth);
    listed.list(a.data(), a.stride(), rows, depth);
    updates().weightsSparse(listed.matrix(), b.data(), b.stride(), panels, sparse.places(averaged()),
                            sparse.parameters.stride(), factors(3));
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) {
        const Trained expected = plainUpdate(spec(), 3, productAt(a, b, r, c, depth), true, before.at(r, c));
        expectNear(dense.at(r, c), expected, 2e-6 * depth);
        expectNear(sparse.at(r, c), expected, 2e-6 * depth);
      }
    }
    if (HasFailure()) FAIL() << rows << " rows, depth " << depth;
  }
}

TEST_P(Update, OfAnArrayIsThatOfTheReferenceWithoutWeightDecay) {
  for (const int count : testing::oddSizes) {
    TrainedPanels before(kernels(), 1, count + 1);
    const testing::Matrix numbers = testing::randomMatrix(1, count + 1, 7);
    std::vector<float> gradient(numbers.begin(), numbers.end()), w, m, v, a;
    for (int i = 0; i <= count; ++i) {
      const Trained all = before.at(0, i);
      w.push_back(all.parameter);
      m.push_back(all.firstMoment);
      v.push_back(all.secondMoment);
      a.push_back(all.average);
    }
    const TrainedArrays arrays{w.data() + 1, m.data() + 1, v.data() + 1, averaged() ? a.data() + 1 : nullptr};
    updates().array(gradient.data() + 1, count, arrays, factors(3));  // unaligned
    for (int i = 1; i <= count; ++i) {
      expectNear({w[i], m[i], v[i], a[i]}, plainUpdate(spec(), 3, gradient[i], false, before.at(0, i)), 0);
    }
    EXPECT_EQ(w[0], before.at(0, 0).parameter);
  }
}

}  // namespace
}  // namespace eigenae
