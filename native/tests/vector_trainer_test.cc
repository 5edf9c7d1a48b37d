// Compares whole trainers, on every instruction set that this machine has, with the reference.
#include "../core/vector_trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <sstream>
#include <vector>

#include "../core/instruction_set.h"
#include "../core/layout.h"
#include "../reference/reference.h"
#include "tiny_trainer.h"

namespace eigenae {
namespace {

using testing::BatchNorm;
using testing::batchNormFlags;
using testing::centeredLogMax;
using testing::constantValues;
using testing::covariance;
using testing::EigenLossCase;
using testing::klDiagonal;
using testing::klNormal;
using testing::Layers;
using testing::topTwo;

struct Case {
  std::vector<int> widths;
  BatchNorm batchNorm;
  int batchSize;
  std::vector<EigenLossCase> eigenLosses;
  ActivationFunction activation;
  OptimizerSpec optimizer;
  std::optional<double> averaging;
  Layers layers = Layers::latent;
};

void PrintTo(const Case& c, std::ostream* out) {
  for (const int width : c.widths) *out << width << '-';
  *out << " norm " << static_cast<int>(c.batchNorm) << " batch " << c.batchSize << " eigen losses "
       << c.eigenLosses.size() << " layers " << static_cast<int>(c.layers) << " activation "
       << static_cast<int>(c.activation.kind) << " optimizer " << c.optimizer.index()
       << (c.averaging ? " averaged" : "");
}

std::vector<Case> cases() {
  std::vector<Case> all;
  const std::vector<EigenLossCase> eigenLosses[] = {{}, {topTwo}, {topTwo, centeredLogMax}};
  const ActivationFunction activations[] = {{Activation::relu}, {Activation::leakyRelu, 0.2f}, {Activation::silu}};
  const OptimizerSpec optimizers[] = {AdamSpec{}, AdamSpec{.weightDecay = 0.1}, SgdSpec{},
                                      SgdSpec{.momentum = 0.8, .nesterov = true}};
  const std::optional<double> averagings[] = {std::nullopt, 0.9};
  int turn = 0;
  for (const auto& widths : std::vector<std::vector<int>>{{20, 16, 8, 5, 4},
                                                          {53, 31, 13, 3},
                                                          {17, 3, 2},
                                                          {1, 1},
                                                          {3, 1, 1},
                                                          {7, 5},
                                                          {101, 37, 64},
                                                          {130, 70, 33},
                                                          {784, 20, 32}}) {
    for (const BatchNorm batchNorm : {BatchNorm::none, BatchNorm::encoder, BatchNorm::all, BatchNorm::alternating}) {
      for (const int batchSize : {16, 37, 70}) {
        all.push_back({widths, batchNorm, batchSize, eigenLosses[turn % 3], activations[turn / 3 % 3],
                       optimizers[turn % 4], averagings[turn % 5 % 2]});
        ++turn;
      }
    }
  }
  const std::vector<EigenLossCase> layerLosses[] = {{klNormal}, {topTwo, klDiagonal}, {klDiagonal}, {covariance}};
  for (const auto& widths : std::vector<std::vector<int>>{{20, 16, 8, 5, 4}, {53, 31, 13, 3}, {7, 5}, {130, 70, 33}}) {
    for (const BatchNorm batchNorm : {BatchNorm::none, BatchNorm::encoder, BatchNorm::all, BatchNorm::alternating}) {
      for (const int batchSize : {16, 37, 70}) {
        const Layers layers = turn % 5 < 2 ? Layers::hidden : Layers::all;
        all.push_back({widths, batchNorm, batchSize, layerLosses[turn % 4], activations[turn / 3 % 3], AdamSpec{},
                       averagings[0], layers});
        ++turn;
      }
    }
  }
  return all;
}

class VectorTrainer : public ::testing::TestWithParam<Case> {
 protected:
  TrainerSpec spec(int threads = 1) const {
    TrainerSpec result;
    result.widths = GetParam().widths;
    result.batchNorm = batchNormFlags(GetParam().batchNorm, result.widths.size());
    result.batchSize = GetParam().batchSize;
    testing::addLosses(result, GetParam().eigenLosses, GetParam().layers);
    result.activation = GetParam().activation;
    result.optimizer = GetParam().optimizer;
    result.averaging = GetParam().averaging;
    result.seed = 5;
    result.threads = threads;
    return result;
  }

  State initialState() const {
    const Layout layout = makeLayout(spec());
    const testing::Matrix numbers = testing::randomMatrix(1, static_cast<int>(layout.parameterCount), 3);
    State state;
    state.parameters.assign(numbers.begin(), numbers.end());
    state.firstMoments.resize(layout.parameterCount);
    state.secondMoments.resize(layout.parameterCount);
    state.runningStatistics.resize(layout.runningStatisticCount);
    for (const Layer& layer : layout.layers) {
      const float scale = std::sqrt(2.0f / static_cast<float>(layer.inputs));
      for (int i = 0; i < layer.inputs * layer.outputs; ++i) state.parameters[layer.weight + i] *= scale;
      for (int i = 0; i < layer.outputs && layer.batchNorm; ++i) {
        state.parameters[layer.gamma + i] = 1 + 0.1f * state.parameters[layer.gamma + i];
        state.runningStatistics[layer.runningVariance + i] = 1;
      }
    }
    if (!spec().averaging) return state;
    state.averagedParameters = state.parameters;
    state.averagedStatistics = state.runningStatistics;
    return state;
  }

  Images images() {
    const int inputs = spec().widths[0], count = 3 * spec().batchSize + 5;
    bytes_.resize(static_cast<std::size_t>(count) * inputs);
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::uint8_t>(i * i % 251);
    order_.clear();
    for (int i = 0; i < count; ++i) order_.push_back(static_cast<std::uint32_t>(i * 7 % count));
    return {bytes_.data(), nullptr, static_cast<std::size_t>(count)};
  }

  std::vector<std::uint8_t> bytes_;
  std::vector<std::uint32_t> order_;
};

INSTANTIATE_TEST_SUITE_P(OddShapes, VectorTrainer, ::testing::ValuesIn(cases()));

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  return testing::relativeDistance(testing::Matrix(a.begin(), a.end()), testing::Matrix(b.begin(), b.end()));
}

TEST_P(VectorTrainer, TakesTheStepOfThePlainTrainer) {
  const TrainerSpec plainSpec = spec();
  const int inputs = plainSpec.widths[0], batch = plainSpec.batchSize - 1;
  const testing::Matrix numbers = testing::randomMatrix(2 * batch, inputs, 8);
  std::vector<float> pixels(numbers.begin(), numbers.end());
  for (float& pixel : pixels) pixel = 1 / (1 + std::exp(-pixel));
  const float* clean = pixels.data();
  const float* noisy = clean + static_cast<std::size_t>(batch) * inputs;

  const auto plain = createReferenceTrainer(plainSpec);
  plain->setState(initialState());
  const Losses expected = plain->trainBatch(clean, noisy, batch, constantValues());
  const State after = plain->getState();
  std::vector<float> embedding(batch * plainSpec.widths.back()), output(batch * inputs);
  plain->encode({nullptr, noisy, static_cast<std::size_t>(batch)}, embedding.data());

  for (const InstructionSet& set : supportedInstructionSets()) {
    const auto trainer = createVectorTrainer(plainSpec, *set.kernels);
    trainer->setState(initialState());
    const Losses losses = trainer->trainBatch(clean, noisy, batch, constantValues());
    const State state = trainer->getState();
    EXPECT_EQ(state.step, 1);
    EXPECT_NEAR(losses.squaredError, expected.squaredError, 2e-5 * expected.squaredError) << set.name;
    ASSERT_EQ(losses.terms.size(), expected.terms.size());
    for (std::size_t i = 0; i < losses.terms.size(); ++i) {
      const TermLosses &mine = losses.terms[i], &plains = expected.terms[i];
      EXPECT_NEAR(mine.value, plains.value, 2e-4 * std::abs(plains.value) + 2e-6) << set.name;
      EXPECT_EQ(mine.weighted, 0.5 * mine.value);
      EXPECT_EQ(mine.images, plains.images);
    }
    EXPECT_LT(distance(state.firstMoments, after.firstMoments), 3e-4) << set.name;
    if (std::holds_alternative<AdamSpec>(plainSpec.optimizer)) {
      EXPECT_LT(distance(state.secondMoments, after.secondMoments), 3e-4) << set.name;
    } else {
      EXPECT_EQ(state.secondMoments, after.secondMoments) << set.name;
      EXPECT_LT(distance(state.parameters, after.parameters), 1e-5) << set.name;
    }
    EXPECT_EQ(state.averagedParameters, plainSpec.averaging ? state.parameters : std::vector<float>{}) << set.name;
    EXPECT_EQ(state.averagedStatistics, plainSpec.averaging ? state.runningStatistics : std::vector<float>{});
    if (!state.runningStatistics.empty()) {
      EXPECT_LT(distance(state.runningStatistics, after.runningStatistics), 1e-5) << set.name;
    }
    trainer->setState(after);
    std::vector<float> ownCodes(embedding.size());
    trainer->encode({nullptr, noisy, static_cast<std::size_t>(batch)}, ownCodes.data());
    EXPECT_LT(distance(ownCodes, embedding), 2e-5) << set.name;
  }
}

TEST_P(VectorTrainer, GivesTheSameBitsOnAnyNumberOfThreads) {
  const Images set = images();
  for (const InstructionSet& instructions : supportedInstructionSets()) {
    State first;
    std::vector<float> firstOutput;
    Losses firstLosses;
    double firstError = 0;
    for (const int threads : {1, 2, 3, 5, spec().batchSize == 16 ? 11 : 4}) {
      const auto trainer = createVectorTrainer(spec(threads), *instructions.kernels);
      trainer->setState(initialState());
      const Losses losses = trainer->trainEpoch(set, order_.data(), order_.size(), 2, constantValues());
      const State state = trainer->getState();
      std::vector<float> output(bytes_.size());
      trainer->reconstruct(set, output.data());
      const Noise noise{.seed = 1, .purpose = 4, .epoch = 0, .deviation = 0.2f};
      const double error = trainer->meanSquaredError(set, &noise);
      if (threads == 1) {
        first = state;
        firstOutput = output;
        firstLosses = losses;
        firstError = error;
      }
      EXPECT_EQ(state.parameters, first.parameters) << threads << " threads";
      EXPECT_EQ(state.firstMoments, first.firstMoments) << threads << " threads";
      EXPECT_EQ(state.secondMoments, first.secondMoments) << threads << " threads";
      EXPECT_EQ(state.runningStatistics, first.runningStatistics) << threads << " threads";
      EXPECT_EQ(state.averagedParameters, first.averagedParameters) << threads << " threads";
      EXPECT_EQ(state.averagedStatistics, first.averagedStatistics) << threads << " threads";
      EXPECT_EQ(losses.squaredError, firstLosses.squaredError) << threads << " threads";
      EXPECT_EQ(losses.loss(), firstLosses.loss()) << threads << " threads";
      EXPECT_EQ(output, firstOutput) << threads << " threads";
      EXPECT_EQ(error, firstError) << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace eigenae
