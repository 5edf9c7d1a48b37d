// Behaviour after a failure: the team keeps working, errors are thrown, and setState removes NaN.
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

TEST(Team, RethrowsTheExceptionOfAnyThreadAndKeepsWorking) {
  Team team(3);
  for (int thrower = 0; thrower < 3; ++thrower) {
    const auto work = [&](int thread) {
      if (thread == thrower) throw std::invalid_argument("no");
    };
    EXPECT_THROW(team.run(work), std::invalid_argument);
    std::atomic<int> threads{0};
    team.run([&](int) { ++threads; });
    EXPECT_EQ(threads, 3);
  }
}

TEST(Trainer, IsAsNewAfterSetStateEvenIfItHadDiverged) {
  for (const InstructionSet& set : supportedInstructionSets()) {
    for (const BatchNorm batchNorm : {BatchNorm::none, BatchNorm::all}) {
      SCOPED_TRACE(set.name);
      TrainerSpec spec = tinySpec(batchNorm);
      spec.widths = {17, 9, 5, 3};
      const std::vector<float> clean = pixels(8, 17, 3);
      const std::vector<float> notNumbers(clean.size(), std::numeric_limits<float>::quiet_NaN());
      const auto diverged = createVectorTrainer(spec, *set.kernels), fresh = createVectorTrainer(spec, *set.kernels);
      for (int step = 0; step < 2; ++step) diverged->trainBatch(clean.data(), notNumbers.data(), 8, constantValues());
      for (Trainer* trainer : {diverged.get(), fresh.get()}) {
        trainer->setState(initialState(spec));
        for (int step = 0; step < 3; ++step) trainer->trainBatch(clean.data(), clean.data(), 8, constantValues());
      }
      expectSameBits(diverged->getState(), fresh->getState());
    }
  }
}

}  // namespace
}  // namespace eigenae
