// A model's buffers on the card, and what it is training. Its numbers are those of core/trainer.h.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "../../core/trainer.h"
#include "images.h"
#include "kernel.h"

namespace eigenae::cuda {

// Not thread-safe. Different models may be used at once.
class Model {
 public:
  // The network and the batch size of the spec are those of the kernel's shape.
  Model(std::shared_ptr<const Kernel> kernel, const TrainerSpec& spec);

  std::size_t parameterCount() const { return parameterCount_; }
  std::size_t runningStatisticCount() const { return statisticCount_; }
  std::int64_t step() const { return step_; }  // steps taken
  void setState(const State& state);
  State getState();

  // Prepare an epoch, or a step on a given batch [count][inputs], as Trainer::trainEpoch and trainBatch take it.
  // trainModels then trains it.
  void beginEpoch(std::shared_ptr<const DeviceImages> images, const std::vector<std::uint32_t>& order,
                  std::uint32_t epoch, const StepValues& values);
  void beginBatch(const std::vector<float>& clean, const std::vector<float>& noisy, const StepValues& values);

  // The steps that are left of what was begun.
  int remainingSteps() const { return steps_ - done_; }
  // The losses of the steps done.
  const Losses& losses() const { return losses_; }

  // Returns the kernel's argument for the next steps, without `losses` and `counter`.
  Training nextTraining(int steps) const;
  // Sets the averages to 0 if no step was taken: an averageShare of 1 then makes copies.
  void prepareFirstStep(DeviceStream& stream);
  // Counts steps that were trained. batchLosses: [steps][1 + terms], as the kernel writes them.
  void finishSteps(int steps, const double* batchLosses);

  // As Trainer's functions of these names.
  void encode(const DeviceImages& images, float* embedding);
  void linearOutputs(const DeviceImages& images, float* outputs);
  void reconstruct(const DeviceImages& images, float* output);
  double meanSquaredError(const DeviceImages& images, const Noise* noise);

  const std::shared_ptr<const Kernel>& kernel() const { return kernel_; }
  std::size_t termCount() const { return spec_.eigenLosses.size(); }

 private:
  void begin(int imageCount, int steps, const StepValues& values);
  Inference inferenceOf(const DeviceImages& images, InferenceMode mode) const;
  void infer(const DeviceImages& images, InferenceMode mode, std::size_t width, float* outputs);
  void runInference(Inference call, std::size_t first, int count);

  const std::shared_ptr<const Kernel> kernel_;
  const TrainerSpec spec_;
  const std::size_t inputs_, parameterCount_, statisticCount_;
  DeviceStream stream_;
  // Training's arrays. `averages_` and `averagedStatistics_` have no bytes without averaging.
  DeviceMemory parameters_, firstMoments_, secondMoments_, averages_, statistics_, averagedStatistics_, exchange_;
  DeviceMemory inference_;  // one Inference
  std::int64_t step_ = 0;

  // What was begun:
  std::shared_ptr<const DeviceImages> images_;  // null for a given batch
  DeviceMemory order_, clean_, noisy_, factors_, weights_;
  std::vector<double> weightValues_;  // [steps][terms], for the losses
  Training training_{};
  int steps_ = 0, done_ = 0;
  Losses losses_;
};

}  // namespace eigenae::cuda
