// A small network and images for it, for the tests of trainers.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "../core/layout.h"
#include "../core/trainer.h"
#include "matrices.h"
#include "tapes.h"

namespace eigenae::testing {

// `alternating` has batch norm before and after the latent layer, but not on it, and so on outwards.
enum class BatchNorm { none, encoder, all, alternating };

// The flags of the layers of a network with the given number of widths.
inline std::vector<bool> batchNormFlags(BatchNorm batchNorm, std::size_t widths) {
  std::vector<bool> flags(2 * widths - 3, batchNorm == BatchNorm::all);
  if (batchNorm == BatchNorm::encoder) std::fill_n(flags.begin(), widths - 1, true);
  for (std::size_t i = (widths + 1) % 2; i < flags.size() && batchNorm == BatchNorm::alternating; i += 2)
    flags[i] = true;
  return flags;
}

inline const EigenLossCase topTwo{"top-k", 2}, centeredLogMax{"log-max", 0, true}, covariance{"covariance"},
    klDiagonal{"kl-diagonal", 0.01}, klNormal{"kl-normal", 0.01};

// Adds a layer to an eigen loss on an encoder of the given widths.
inline void addLayer(EigenLossSpec& spec, const EigenLossCase& eigenLoss, int layer, int width) {
  spec.layers.push_back(layer);
  spec.formulas.push_back(eigenLoss.formula(width));
}

// Makes the eigen losses act on the latent layer of spec.widths, in batches of more images than it has dimensions.
inline void addLatentLosses(TrainerSpec& spec, const std::vector<EigenLossCase>& eigenLosses) {
  const int latent = spec.widths.back();
  for (const EigenLossCase& each : eigenLosses) {
    // A loss of singular values would be constant on a layer of one unit.
    const EigenLossCase& used = latent > 1 ? each : klDiagonal;
    EigenLossSpec eigenLoss{used.center, {}, {}, latent + 1};
    addLayer(eigenLoss, used, static_cast<int>(spec.widths.size()) - 2, latent);
    spec.eigenLosses.push_back(eigenLoss);
  }
}

enum class Layers { latent, hidden, all };

// Makes the eigen losses act on some of the inner layers of spec.widths. The losses on singular values are only for
// batches of more images than the widest of them has units.
inline void addLosses(TrainerSpec& spec, const std::vector<EigenLossCase>& eigenLosses, Layers choice) {
  const int latent = static_cast<int>(spec.widths.size()) - 2;
  for (const EigenLossCase& each : eigenLosses) {
    EigenLossSpec eigenLoss{each.center, {}, {}, each.kind == "covariance" ? 2 : 1};
    int widest = 0;
    for (int layer = 0; layer <= 2 * latent; ++layer) {
      if (choice != Layers::all && (layer == latent) != (choice == Layers::latent)) continue;
      const int width = spec.widths[layer <= latent ? layer + 1 : 2 * latent + 1 - layer];
      addLayer(eigenLoss, each, layer, width);
      widest = std::max(widest, width);
    }
    if (eigenLoss.layers.empty()) continue;  // a network without hidden layers
    if (eigenLoss.formulas.front().uses(FormulaInput::sigma)) eigenLoss.minimumImages = widest + 1;
    spec.eigenLosses.push_back(eigenLoss);
  }
}

inline TrainerSpec tinySpec(BatchNorm batchNorm, const std::vector<EigenLossCase>& eigenLosses = {},
                            Layers layers = Layers::latent) {
  TrainerSpec spec;
  spec.widths = {7, 6, 5, 3};
  spec.batchNorm = batchNormFlags(batchNorm, spec.widths.size());
  if (layers == Layers::latent) {
    addLatentLosses(spec, eigenLosses);
  } else {
    addLosses(spec, eigenLosses, layers);
  }
  spec.batchSize = 8;
  spec.seed = 5;
  return spec;
}

// Returns a learning rate of 0.005, and weights of 0.5 for up to four eigen losses, at every step of a test.
inline StepValues constantValues() {
  static const std::vector<double> learningRates(256, 0.005), weights(4 * 256, 0.5);
  return {learningRates.data(), weights.data()};
}

// Returns a state with weights of a realistic size, gamma near 1 and variances of 1.
inline State initialState(const TrainerSpec& spec) {
  const Layout layout = makeLayout(spec);
  const Matrix numbers = randomMatrix(1, static_cast<int>(layout.parameterCount), 21);
  State state;
  state.parameters.assign(numbers.begin(), numbers.end());
  for (float& parameter : state.parameters) parameter *= 0.5f;
  state.firstMoments.resize(layout.parameterCount);
  state.secondMoments.resize(layout.parameterCount);
  state.runningStatistics.resize(layout.runningStatisticCount);
  for (const Layer& layer : layout.layers) {
    for (int i = 0; i < layer.outputs && layer.batchNorm; ++i) {
      state.parameters[layer.gamma + i] = 1 + 0.1f * static_cast<float>(i);
      state.runningStatistics[layer.runningVariance + i] = 1;
    }
  }
  if (!spec.averaging) return state;
  state.averagedParameters = state.parameters;
  state.averagedStatistics = state.runningStatistics;
  return state;
}

inline std::unique_ptr<Trainer> makeTrainer(const TrainerSpec& spec) {
  auto trainer = Trainer::create(spec);
  trainer->setState(initialState(spec));
  return trainer;
}

inline std::vector<float> pixels(std::size_t count, int inputs, std::uint32_t seed) {
  const Matrix numbers = randomMatrix(static_cast<int>(count), inputs, seed);
  std::vector<float> values(numbers.begin(), numbers.end());
  for (float& value : values) value = 1 / (1 + std::exp(-value));
  return values;
}

inline std::vector<std::uint8_t> bytes(std::size_t count, int inputs, std::uint32_t seed) {
  std::vector<std::uint8_t> values;
  for (float value : pixels(count, inputs, seed)) values.push_back(static_cast<std::uint8_t>(255 * value));
  return values;
}

inline Images imagesOf(const std::vector<std::uint8_t>& values, int inputs) {
  return {values.data(), nullptr, values.size() / static_cast<std::size_t>(inputs)};
}

inline Images imagesOf(const std::vector<float>& values, int inputs) {
  return {nullptr, values.data(), values.size() / static_cast<std::size_t>(inputs)};
}

inline std::vector<std::uint32_t> backwardOrder(std::size_t count) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.rbegin(), order.rend(), 0);
  return order;
}

inline void expectSameBits(const State& a, const State& b) {
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.parameters, b.parameters);
  EXPECT_EQ(a.firstMoments, b.firstMoments);
  EXPECT_EQ(a.secondMoments, b.secondMoments);
  EXPECT_EQ(a.runningStatistics, b.runningStatistics);
  EXPECT_EQ(a.averagedParameters, b.averagedParameters);
  EXPECT_EQ(a.averagedStatistics, b.averagedStatistics);
}

inline double meanLoss(const Losses& losses) { return losses.loss() / static_cast<double>(losses.images); }

}  // namespace eigenae::testing
