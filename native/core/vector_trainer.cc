#include "vector_trainer.h"

#include <algorithm>

#include "inference.h"
#include "layout.h"
#include "optimizer_step.h"
#include "parameters.h"
#include "product_scope.h"
#include "random.h"
#include "team.h"
#include "training_step.h"

namespace eigenae {

namespace {

class VectorTrainer final : public Trainer {
 public:
  VectorTrainer(const TrainerSpec& spec, const Kernels& kernels)
      : spec_(spec),
        kernels_(kernels),
        layout_(makeLayout(spec)),
        team_(spec.threads),
        parameters_(layout_, kernels.panelColumns, spec.averaging.has_value()),
        training_(spec, layout_, kernels, parameters_, runningStatistics_, team_, control),
        inference_(layout_, kernels, parameters_, team_, control) {
    runningStatistics_.values.resize(layout_.runningStatisticCount);
    if (spec.averaging) runningStatistics_.averages.resize(layout_.runningStatisticCount);
  }

  std::size_t parameterCount() const override { return layout_.parameterCount; }
  std::size_t runningStatisticCount() const override { return layout_.runningStatisticCount; }
  std::int64_t step() const override { return step_; }

  void setState(const State& state) override {
    step_ = state.step;
    parameters_.setState(state);
    runningStatistics_ = {state.runningStatistics, state.averagedStatistics};
  }

  State getState() const override {
    State state;
    state.step = step_;
    parameters_.getState(state);
    state.runningStatistics = runningStatistics_.values;
    state.averagedStatistics = runningStatistics_.averages;
    return state;
  }

  Losses trainEpoch(const Images& images, const std::uint32_t* order, std::size_t count, std::uint32_t epoch,
                    const StepValues& values) override {
    const std::size_t batchSize = spec_.batchSize;
    const Noise noise{.seed = spec_.seed, .purpose = purpose::trainingNoise, .epoch = epoch, .deviation = spec_.noise};
    return train((count + batchSize - 1) / batchSize, values, [&](std::size_t index) {
      Batch batch;
      batch.count = static_cast<int>(std::min(batchSize, count - index * batchSize));
      batch.images = &images;
      batch.index = order + index * batchSize;
      batch.noise = noise;
      return batch;
    });
  }

  Losses trainBatch(const float* clean, const float* noisy, std::size_t count, const StepValues& values) override {
    return train(1, values, [&](std::size_t) {
      Batch batch;
      batch.count = static_cast<int>(count);
      batch.clean = clean;
      batch.noisy = noisy;
      return batch;
    });
  }

  void encode(const Images& images, float* embedding) override {
    inference_.encode(images, runningStatistics_.evaluated(), embedding);
  }
  void linearOutputs(const Images& images, float* outputs) override {
    inference_.linearOutputs(images, runningStatistics_.evaluated(), outputs);
  }
  void reconstruct(const Images& images, float* output) override {
    inference_.reconstruct(images, runningStatistics_.evaluated(), output);
  }
  double meanSquaredError(const Images& images, const Noise* noise) override {
    return inference_.meanSquaredError(images, noise, runningStatistics_.evaluated());
  }

 private:
  // A step has four barriers, and two more for each layer with batch norm. There is none between the first layer's
  // update and the next batch's firstLayer, because a thread needs no pixels but its own for both.
  template <typename MakeBatch>
  Losses train(std::size_t batches, const StepValues& values, MakeBatch makeBatch) {
    Losses losses;
    losses.terms.resize(spec_.eigenLosses.size());
    if (batches == 0 || control.stopped()) return losses;
    bool stop = false;  // written by thread 0 before a barrier, read by all after it
    std::int64_t done = 0;
    training_.prepare(makeBatch(0).count);
    training_.prepare(makeBatch(batches - 1).count);
    if (step_ == 0) clearAverages();
    team_.run([&](int thread) noexcept {
      const ProductScope use(kernels_);
      const auto batchOf = [&](std::size_t index) {
        Batch batch = makeBatch(index);
        batch.update = stepFactors(spec_, step_ + static_cast<std::int64_t>(index) + 1, values.learningRates[index]);
        batch.weights = values.weights + index * spec_.eigenLosses.size();
        batch.movesAverages = spec_.averaging && index % 2 == 1;
        return batch;
      };
      Batch batch = batchOf(0);
      training_.firstLayer(thread, batch);
      for (std::size_t index = 0; index < batches && !stop; ++index) {
        team_.wait(thread);
        training_.middleForward(thread, batch);
        team_.wait(thread);
        training_.lastLayer(thread, batch);
        team_.wait(thread);
        if (thread == 0) {
          done = static_cast<std::int64_t>(index) + 1;
          stop = control.stopped();
          training_.addLosses(batch, losses);
          training_.averageStatistics(batch);
          // An eigen loss that was stopped has no value to report.
          if (!stop) control.publish({static_cast<std::uint32_t>(losses.images), static_cast<float>(losses.loss())});
        }
        training_.middleBackward(thread, batch);
        team_.wait(thread);
        training_.updateMiddle(thread, batch);
        const bool last = index + 1 == batches || stop;
        const Batch next = last ? Batch{} : batchOf(index + 1);
        training_.updateFirst(thread, batch, last ? nullptr : &next);
        if (last) break;
        batch = next;
      }
      if (!spec_.averaging || batch.movesAverages) return;
      team_.wait(thread);
      parameters_.moveAverages(kernels_, thread, team_.size(), batch.update.averageShare);
    });
    step_ += done;
    return losses;
  }

  // Before the first step they are copies, which the averages do not count.
  void clearAverages() {
    parameters_.clearAverages();
    std::fill(runningStatistics_.averages.begin(), runningStatistics_.averages.end(), 0.0f);
  }

  const TrainerSpec spec_;
  const Kernels& kernels_;
  const Layout layout_;
  Team team_;
  std::int64_t step_ = 0;
  Parameters parameters_;
  RunningStatistics runningStatistics_;
  TrainingStep training_;
  Inference inference_;
};

}  // namespace

std::unique_ptr<Trainer> createVectorTrainer(const TrainerSpec& spec, const Kernels& kernels) {
  return std::make_unique<VectorTrainer>(spec, kernels);
}

}  // namespace eigenae
