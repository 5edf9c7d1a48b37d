// What is left after something failed: threads that go on, errors that are told, numbers that are sound again.
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <stdexcept>

#include "../core/instruction_set.h"
#include "../core/team.h"
#include "../core/vector_trainer.h"
#include "tiny_trainer.h"

namespace eigenae {
namespace {

using namespace eigenae::testing;

TEST(Team, ThrowsWhatAnyMemberThrowsAndWorksOn) {
  Team team(3);
  for (int thrower = 0; thrower < 3; ++thrower) {
    const auto work = [&](int member) {
      if (member == thrower) throw std::invalid_argument("no");
    };
    EXPECT_THROW(team.run(work), std::invalid_argument);
    std::atomic<int> members{0};
    team.run([&](int) { ++members; });
    EXPECT_EQ(members, 3);
  }
}

TEST(Trainer, RefusesAnEigenLossWithoutItsParameter) {
  EXPECT_THROW(Trainer::create(tinySpec(BatchNorm::none, {{"top-k", 1, false, {}}})), std::out_of_range);
}

TEST(Trainer, IsAsNewAfterSetStateWhateverItWasBefore) {
  for (const InstructionSet& set : supportedInstructionSets()) {
    for (const BatchNorm batchNorm : {BatchNorm::none, BatchNorm::all}) {
      SCOPED_TRACE(set.name);
      TrainerSpec spec = tinySpec(batchNorm);
      spec.widths = {17, 9, 5, 3};
      const std::vector<float> clean = pixels(8, 17, 3);
      const std::vector<float> notNumbers(clean.size(), std::numeric_limits<float>::quiet_NaN());
      const auto diverged = createVectorTrainer(spec, *set.kernels), fresh = createVectorTrainer(spec, *set.kernels);
      for (int step = 0; step < 2; ++step) diverged->trainBatch(clean.data(), notNumbers.data(), 8);
      for (Trainer* trainer : {diverged.get(), fresh.get()}) {
        trainer->setState(initialState(spec));
        for (int step = 0; step < 3; ++step) trainer->trainBatch(clean.data(), clean.data(), 8);
      }
      expectSameBits(diverged->getState(), fresh->getState());
    }
  }
}

}  // namespace
}  // namespace eigenae
