#include "../core/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "../core/instruction_set.h"
#include "../core/layer_matrix.h"
#include "../core/layout.h"
#include "../core/random.h"
#include "tiny_trainer.h"

namespace eigenae {
namespace {

using testing::backwardOrder;
using testing::BatchNorm;
using testing::bytes;
using testing::centeredLogMax;
using testing::constantValues;
using testing::EigenLossCase;
using testing::expectSameBits;
using testing::imagesOf;
using testing::initialState;
using testing::klDiagonal;
using testing::klNormal;
using testing::Layers;
using testing::makeTrainer;
using testing::Matrix;
using testing::meanLoss;
using testing::pixels;
using testing::randomMatrix;
using testing::tinySpec;
using testing::topTwo;

struct NetworkCase {
  const char* name;
  BatchNorm batchNorm;
  std::vector<EigenLossCase> eigenLosses;
  ActivationFunction activation{Activation::relu};
  Layers layers = Layers::latent;
};

void PrintTo(const NetworkCase& network, std::ostream* out) { *out << network.name; }

class EveryNetwork : public ::testing::TestWithParam<NetworkCase> {
 protected:
  TrainerSpec spec() const {
    TrainerSpec spec = tinySpec(GetParam().batchNorm, GetParam().eigenLosses, GetParam().layers);
    spec.activation = GetParam().activation;
    return spec;
  }
};

const ActivationFunction relu{Activation::relu}, silu{Activation::silu}, leakyRelu{Activation::leakyRelu, 0.7f};

INSTANTIATE_TEST_SUITE_P(
    Trainer, EveryNetwork,
    ::testing::Values(NetworkCase{"plain", BatchNorm::none, {}}, NetworkCase{"top_k", BatchNorm::none, {topTwo}},
                      NetworkCase{"two_eigen_losses", BatchNorm::none, {topTwo, centeredLogMax}},
                      NetworkCase{"encoder_norm", BatchNorm::encoder, {topTwo}},
                      NetworkCase{"all_norm", BatchNorm::all, {}},
                      NetworkCase{"all_norm_top_k", BatchNorm::all, {topTwo}},
                      NetworkCase{"all_norm_centered", BatchNorm::all, {centeredLogMax}},
                      NetworkCase{"alternating_norm", BatchNorm::alternating, {}},
                      NetworkCase{"alternating_norm_top_k", BatchNorm::alternating, {topTwo}},
                      NetworkCase{"leaky", BatchNorm::none, {topTwo}, leakyRelu},
                      NetworkCase{"leaky_norm", BatchNorm::all, {}, {Activation::leakyRelu, 0.1f}},
                      NetworkCase{"silu", BatchNorm::none, {topTwo}, silu},
                      NetworkCase{"silu_norm", BatchNorm::all, {topTwo}, silu},
                      NetworkCase{"silu_some", BatchNorm::alternating, {}, silu},
                      NetworkCase{"hidden", BatchNorm::none, {klDiagonal}, relu, Layers::hidden},
                      NetworkCase{"hidden_norm", BatchNorm::all, {klDiagonal}, relu, Layers::hidden},
                      NetworkCase{"hidden_some_norm", BatchNorm::alternating, {klDiagonal}, leakyRelu, Layers::hidden},
                      NetworkCase{"layers", BatchNorm::encoder, {topTwo, klNormal}, relu, Layers::all},
                      NetworkCase{"layers_some_norm", BatchNorm::alternating, {klNormal}, silu, Layers::all}),
    [](const auto& info) { return info.param.name; });

TEST_P(EveryNetwork, GradientOfEveryParameterEqualsCentralDifferences) {
  const auto clean = pixels(8, 7, 31), noisy = pixels(8, 7, 32);
  const State initial = initialState(spec());
  const auto trainer = makeTrainer(spec());
  trainer->trainBatch(clean.data(), noisy.data(), 8, constantValues());
  const State after = trainer->getState();

  const auto lossWith = [&](std::size_t index, float change) {
    State state = initial;
    state.parameters[index] += change;
    trainer->setState(state);
    return meanLoss(trainer->trainBatch(clean.data(), noisy.data(), 8, constantValues()));
  };
  const float step = 5e-4f;  // a larger step would cross a kink of a ReLU
  for (std::size_t i = 0; i < initial.parameters.size(); ++i) {
    const double gradient = after.firstMoments[i] / (1 - AdamSpec().beta1);
    const double difference = (lossWith(i, step) - lossWith(i, -step)) / (2 * static_cast<double>(step));
    EXPECT_NEAR(gradient, difference, 2e-4 + 2e-3 * std::abs(difference)) << "parameter " << i;
  }
}

TEST_P(EveryNetwork, TrainsToTheSameBitsFromTheSameState) {
  const auto images = bytes(45, 7, 33);
  const auto order = backwardOrder(45);
  const auto trainer = makeTrainer(spec()), resumed = makeTrainer(spec()), uninterrupted = makeTrainer(spec());
  for (std::uint32_t epoch = 1; epoch <= 4; ++epoch) {
    uninterrupted->trainEpoch(imagesOf(images, 7), order.data(), 45, epoch, constantValues());
    (epoch <= 2 ? trainer : resumed)->trainEpoch(imagesOf(images, 7), order.data(), 45, epoch, constantValues());
    if (epoch == 2) resumed->setState(trainer->getState());
  }
  expectSameBits(resumed->getState(), uninterrupted->getState());
}

TEST_P(EveryNetwork, TrainsToTheSameBitsOnTwoThreads) {
  const auto images = bytes(45, 7, 34);
  const auto order = backwardOrder(45);
  TrainerSpec threaded = spec();
  threaded.threads = 2;
  const auto one = makeTrainer(spec()), two = makeTrainer(threaded);
  one->trainEpoch(imagesOf(images, 7), order.data(), 45, 1, constantValues());
  two->trainEpoch(imagesOf(images, 7), order.data(), 45, 1, constantValues());
  expectSameBits(one->getState(), two->getState());
}

TEST_P(EveryNetwork, GivesTheLossItHadBeforeTheStep) {
  const auto clean = pixels(8, 7, 35);
  const auto trainer = makeTrainer(spec());
  const double before = meanLoss(trainer->trainBatch(clean.data(), clean.data(), 8, constantValues()));
  for (int step = 0; step < 200; ++step) trainer->trainBatch(clean.data(), clean.data(), 8, constantValues());
  EXPECT_LT(meanLoss(trainer->trainBatch(clean.data(), clean.data(), 8, constantValues())), before);
}

TEST(BatchNormAfterTheBottleneck, LeavesTheShiftOfTheLatentCodesToTheEigenLosses) {
  const TrainerSpec spec = tinySpec(BatchNorm::all);
  const auto trainer = makeTrainer(spec);
  const auto clean = pixels(8, 7, 36);
  for (int step = 0; step < 20; ++step) trainer->trainBatch(clean.data(), clean.data(), 8, constantValues());
  const Layout layout = makeLayout(spec);
  const Layer& latentLayer = layout.layers[layout.latentLayer];
  const State initial = initialState(spec), trained = trainer->getState();
  for (int i = 0; i < latentLayer.outputs; ++i) {
    EXPECT_EQ(trained.parameters[latentLayer.beta + i], initial.parameters[latentLayer.beta + i]);
    EXPECT_EQ(trained.parameters[latentLayer.bias + i], initial.parameters[latentLayer.bias + i]);
  }
}

// The bias before batch norm changes nothing but the eigen loss.
TEST(BatchNormBehindAHiddenLayer, LeavesTheBiasToTheEigenLosses) {
  const TrainerSpec spec = tinySpec(BatchNorm::all, {klDiagonal}, Layers::hidden);
  const auto trainer = makeTrainer(spec);
  const auto clean = pixels(8, 7, 49);
  const Layout layout = makeLayout(spec);
  const State initial = initialState(spec);
  for (const bool hasLoss : {false, true}) {
    const double learningRate = 0.005, weight = hasLoss ? 0.5 : 0;
    trainer->setState(initial);
    const Losses losses = trainer->trainBatch(clean.data(), clean.data(), 8, {&learningRate, &weight});
    const State trained = trainer->getState();
    EXPECT_EQ(losses.terms[0].images, hasLoss ? 8 : 0);
    for (std::size_t i = 0; i + 1 < layout.layers.size(); ++i) {
      const float before = initial.parameters[layout.layers[i].bias], after = trained.parameters[layout.layers[i].bias];
      EXPECT_EQ(before != after, hasLoss && i != layout.latentLayer) << "layer " << i;
    }
  }
}

TEST(BatchNormAfterTheBottleneck, LeavesTheBiasOfTheLatentLayerToTheEigenLosses) {
  const TrainerSpec spec = tinySpec(BatchNorm::alternating);
  const auto trainer = makeTrainer(spec);
  const auto clean = pixels(8, 7, 36);
  for (int step = 0; step < 20; ++step) trainer->trainBatch(clean.data(), clean.data(), 8, constantValues());
  const Layout layout = makeLayout(spec);
  const Layer& latentLayer = layout.layers[layout.latentLayer];
  const State initial = initialState(spec), trained = trainer->getState();
  for (int i = 0; i < latentLayer.outputs; ++i) {
    EXPECT_EQ(trained.parameters[latentLayer.bias + i], initial.parameters[latentLayer.bias + i]);
  }
}

TEST(TrainEpoch, StopsBeforeTheNextBatchOnceToldTo) {
  const auto trainer = makeTrainer(tinySpec(BatchNorm::none));
  const auto images = bytes(45, 7, 37);
  const auto order = backwardOrder(45);
  trainer->control.stop();
  const Losses losses = trainer->trainEpoch(imagesOf(images, 7), order.data(), 45, 1, constantValues());
  EXPECT_EQ(losses.images, 0);
  EXPECT_EQ(trainer->getState().step, 0);
}

TEST(LayerMatrix, LeavesNoGradientIfItIsStopped) {
  for (const EigenLossCase& eigenLoss : {topTwo, klNormal}) {
    const Tape formula = eigenLoss.formula(3);
    CallControl control;
    LayerMatrix matrix(*chosenInstructionSet().kernels, control, 8, 3);
    matrix.prepare(formula);
    const Matrix embedding = randomMatrix(8, 3, 47);
    for (int i = 0; i < 3; ++i) std::copy_n(embedding.begin() + 8 * i, 8, matrix.column(i));
    control.stop();
    matrix.eigenLoss(formula, false, 1);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(std::count(matrix.gradient(i), matrix.gradient(i) + 8, 0.0), 8);
    }
  }
}

TEST(Inference, TakesNoMoreImagesOnceItIsStopped) {
  const auto trainer = makeTrainer(tinySpec(BatchNorm::none));
  const auto images = bytes(45, 7, 48);
  std::vector<float> embedding(45 * 3, -1);
  trainer->control.stop();
  trainer->encode(imagesOf(images, 7), embedding.data());
  EXPECT_EQ(embedding, std::vector<float>(45 * 3, -1));
  trainer->control.begin();
  trainer->encode(imagesOf(images, 7), embedding.data());
  EXPECT_NE(embedding, std::vector<float>(45 * 3, -1));
}

TEST(TrainEpoch, ShowsItsImagesAndTheirLosses) {
  const auto trainer = makeTrainer(tinySpec(BatchNorm::none, {topTwo}));
  const auto images = bytes(45, 7, 38);
  const auto order = backwardOrder(45);
  const Losses losses = trainer->trainEpoch(imagesOf(images, 7), order.data(), 45, 1, constantValues());
  EXPECT_EQ(trainer->control.progress().images, 45);
  EXPECT_EQ(trainer->control.progress().loss, static_cast<float>(losses.loss()));
  EXPECT_EQ(trainer->getState().step, 6);
  EXPECT_EQ(losses.images, 45);
}

TEST(TrainEpoch, TrainsAShortBatchWithoutEigenLossUnlessItHasTheMinimumOfImages) {
  for (const auto& [count, hasEigenLoss] : {std::pair{8 + 3, 8}, {8 + 4, 8 + 4}}) {
    const auto trainer = makeTrainer(tinySpec(BatchNorm::none, {topTwo}));
    const auto images = bytes(count, 7, 39);
    const auto order = backwardOrder(count);
    const Losses losses = trainer->trainEpoch(imagesOf(images, 7), order.data(), count, 1, constantValues());
    EXPECT_EQ(losses.images, count);
    EXPECT_EQ(losses.terms[0].images, hasEigenLoss);
  }
}

struct TwoStates {
  State byEpoch, byBatch;
};

TwoStates trainBothWays(float deviation) {
  TrainerSpec spec = tinySpec(BatchNorm::all, {topTwo});
  spec.noise = deviation;
  const auto images = bytes(8, 7, 40);
  const auto order = backwardOrder(8);
  const auto byEpoch = makeTrainer(spec), byBatch = makeTrainer(spec);
  byEpoch->trainEpoch(imagesOf(images, 7), order.data(), 8, 3, constantValues());

  std::vector<float> clean, noisy;
  for (std::uint32_t image : order) {
    for (std::uint32_t i = 0; i < 7; ++i) {
      clean.push_back(static_cast<float>(images[image * 7 + i]) / 255.0f);
      noisy.push_back(clean.back() + deviation * normals(5, purpose::trainingNoise, 3, image, i / 4)[i % 4]);
    }
  }
  byBatch->trainBatch(clean.data(), noisy.data(), 8, constantValues());
  return {byEpoch->getState(), byBatch->getState()};
}

TEST(TrainEpoch, IsTrainBatchOnTheOrderedImages) {
  const auto [byEpoch, byBatch] = trainBothWays(0);
  expectSameBits(byEpoch, byBatch);
}

// The core has its own logarithm, sine and cosine, so the last bits differ.
TEST(TrainEpoch, AddsTheNoiseThatTheImagesAndPixelsName) {
  const auto [byEpoch, byBatch] = trainBothWays(0.2f);
  for (std::size_t i = 0; i < byBatch.runningStatistics.size(); ++i) {
    EXPECT_NEAR(byEpoch.runningStatistics[i], byBatch.runningStatistics[i], 2e-6);
  }
  for (std::size_t i = 0; i < byBatch.firstMoments.size(); ++i) {
    EXPECT_NEAR(byEpoch.firstMoments[i], byBatch.firstMoments[i], 1e-4 * std::abs(byBatch.firstMoments[i]) + 1e-7);
  }
}

TEST(TrainEpoch, SurvivesABatchOfOneImageWithBatchNorm) {
  const auto trainer = makeTrainer(tinySpec(BatchNorm::all, {topTwo}));
  const auto images = bytes(9, 7, 41);
  const auto order = backwardOrder(9);
  trainer->trainEpoch(imagesOf(images, 7), order.data(), 9, 1, constantValues());
  const State state = trainer->getState();
  for (float value : state.parameters) EXPECT_TRUE(std::isfinite(value));
  for (float value : state.runningStatistics) EXPECT_TRUE(std::isfinite(value));
}

TEST(CreateTrainer, TakesASingleLayerEncoder) {
  TrainerSpec spec = tinySpec(BatchNorm::all);
  spec.widths = {7, 3};
  spec.batchNorm = {true};
  testing::addLatentLosses(spec, {topTwo});
  const auto trainer = makeTrainer(spec);
  const auto clean = pixels(8, 7, 46);
  EXPECT_TRUE(std::isfinite(meanLoss(trainer->trainBatch(clean.data(), clean.data(), 8, constantValues()))));
}

}  // namespace
}  // namespace eigenae
