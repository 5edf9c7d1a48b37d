// The averaged network.
#include <gtest/gtest.h>

#include <vector>

#include "../core/instruction_set.h"
#include "../core/vector_trainer.h"
#include "tiny_trainer.h"

namespace eigenae {
namespace {

using namespace eigenae::testing;

class Averaging : public ::testing::TestWithParam<InstructionSet> {
 protected:
  static TrainerSpec spec(std::optional<double> averaging) {
    TrainerSpec result = tinySpec(BatchNorm::alternating, {topTwo});
    result.averaging = averaging;
    return result;
  }
  std::unique_ptr<Trainer> trainer(std::optional<double> averaging) const {
    auto result = createVectorTrainer(spec(averaging), *GetParam().kernels);
    result->setState(initialState(spec(averaging)));
    return result;
  }
  State step(Trainer& trainer) const {
    trainer.trainBatch(clean.data(), clean.data(), 8, constantValues());
    return trainer.getState();
  }

  const std::vector<float> clean = pixels(8, 7, 50);
};

INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, Averaging, ::testing::ValuesIn(supportedInstructionSets()));

TEST_P(Averaging, CopiesTheFirstStepAndThenMovesByTheDecay) {
  const auto averaged = trainer(0.75);
  State before = step(*averaged);
  EXPECT_EQ(before.averagedParameters, before.parameters);
  EXPECT_EQ(before.averagedStatistics, before.runningStatistics);
  for (int i = 0; i < 3; ++i) {
    const State after = step(*averaged);
    const auto expectMoved = [](const std::vector<float>& from, const std::vector<float>& to,
                                const std::vector<float>& values) {
      for (std::size_t j = 0; j < from.size(); ++j) EXPECT_NEAR(to[j], 0.75 * from[j] + 0.25 * values[j], 1e-6);
    };
    expectMoved(before.averagedParameters, after.averagedParameters, after.parameters);
    expectMoved(before.averagedStatistics, after.averagedStatistics, after.runningStatistics);
    EXPECT_NE(after.averagedParameters, after.parameters);
    before = after;
  }
}

// An epoch moves the averages at every second step, twice.
TEST_P(Averaging, OfAnEpochIsThatOfItsStepsOneByOne) {
  TrainerSpec twoImages = spec(0.75);
  twoImages.batchSize = 2;
  const auto values = bytes(10, 7, 50);
  const Images images = imagesOf(values, 7);
  const auto order = backwardOrder(10);
  for (const std::size_t steps : {1, 2, 5}) {
    const auto whole = createVectorTrainer(twoImages, *GetParam().kernels);
    const auto stepwise = createVectorTrainer(twoImages, *GetParam().kernels);
    whole->setState(initialState(twoImages));
    stepwise->setState(initialState(twoImages));
    whole->trainEpoch(images, order.data(), 2 * steps, 1, constantValues());
    for (std::size_t i = 0; i < steps; ++i) {
      stepwise->trainEpoch(images, order.data() + 2 * i, 2, 1, constantValues());
    }
    expectSameBits(whole->getState(), stepwise->getState());
  }
}

TEST_P(Averaging, LeavesTheTrainingAlone) {
  const auto averaged = trainer(0.75), plain = trainer({});
  for (int i = 0; i < 5; ++i) {
    const State mine = step(*averaged), other = step(*plain);
    EXPECT_EQ(mine.parameters, other.parameters);
    EXPECT_EQ(mine.secondMoments, other.secondMoments);
    EXPECT_EQ(mine.runningStatistics, other.runningStatistics);
  }
}

TEST_P(Averaging, IsWhatInferenceUses) {
  const auto averaged = trainer(0.75), plain = trainer({});
  for (int i = 0; i < 5; ++i) step(*averaged);
  State state = averaged->getState();
  state.parameters = std::move(state.averagedParameters);
  state.runningStatistics = std::move(state.averagedStatistics);
  plain->setState(state);
  const Images images = imagesOf(clean, 7);
  for (const auto infer : {&Trainer::encode, &Trainer::reconstruct}) {
    std::vector<float> mine(8 * 7), other(8 * 7);
    (averaged.get()->*infer)(images, mine.data());
    (plain.get()->*infer)(images, other.data());
    EXPECT_EQ(mine, other);
  }
  EXPECT_EQ(averaged->meanSquaredError(images, nullptr), plain->meanSquaredError(images, nullptr));
}

TEST_P(Averaging, IsOfTheInitialNetworkBeforeTheFirstStep) {
  const auto averaged = trainer(0.75);
  const State state = averaged->getState();
  EXPECT_EQ(state.averagedParameters, state.parameters);
  EXPECT_EQ(state.averagedStatistics, state.runningStatistics);
}

TEST_P(Averaging, ContinuesToTheSameBits) {
  const auto whole = trainer(0.75), resumed = trainer(0.75);
  for (int i = 0; i < 3; ++i) step(*whole);
  resumed->setState(whole->getState());
  for (int i = 0; i < 3; ++i) {
    const State mine = step(*whole), other = step(*resumed);
    expectSameBits(mine, other);
  }
}

}  // namespace
}  // namespace eigenae
