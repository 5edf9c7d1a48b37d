#include "scalar_trainer.h"

#include <algorithm>
#include <vector>

#include "activations.h"
#include "adam.h"
#include "../../core/layout.h"
#include "network.h"
#include "noise.h"
#include "../../core/random.h"
#include "../../core/spectral.h"

namespace eigenae {

namespace {

struct EigenLoss {
  EigenLossSpec spec;
  EigenLossFunction function;
};

// The values of pixels from bytes or floats: images [first, first + count) of [inputs] floats each.
void copyImages(const Images& images, std::size_t first, std::size_t count, int inputs, float* values) {
  const std::size_t offset = first * inputs, size = count * inputs;
  if (images.floats != nullptr) {
    std::copy_n(images.floats + offset, size, values);
  } else {
    for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<float>(images.bytes[offset + i]) / 255.0f;
  }
}

class ScalarTrainer final : public Trainer {
 public:
  explicit ScalarTrainer(const TrainerSpec& spec)
      : spec_(spec),
        layout_(makeLayout(spec.widths, spec.batchNorm)),
        network_(layout_, spec.batchSize),
        clean_(batchArea(layout_.inputs())),
        noisy_(batchArea(layout_.inputs())),
        latentGradient_(batchArea(layout_.latent())),
        gradient_(layout_.parameterCount) {
    for (const EigenLossSpec& eigenLoss : spec.eigenLosses) eigenLosses_.push_back({eigenLoss, findEigenLoss(eigenLoss.kind)});
    state_.parameters.resize(layout_.parameterCount);
    state_.firstMoments.resize(layout_.parameterCount);
    state_.secondMoments.resize(layout_.parameterCount);
    state_.runningStatistics.resize(layout_.runningStatisticCount);
  }

  std::size_t parameterCount() const override { return layout_.parameterCount; }
  std::size_t runningStatisticCount() const override { return layout_.runningStatisticCount; }
  void setState(const State& state) override { state_ = state; }
  State getState() const override { return state_; }

  Losses trainEpoch(const Images& images, const std::uint32_t* order, std::size_t count, std::uint32_t epoch) override {
    const Noise noise{spec_.seed, purpose::trainingNoise, epoch, spec_.noise};
    const std::size_t inputs = layout_.inputs(), batchSize = spec_.batchSize;
    Losses losses;
    for (std::size_t first = 0; first < count && !control.stopped(); first += batchSize) {
      const std::size_t batch = std::min(batchSize, count - first);
      for (std::size_t b = 0; b < batch; ++b) {
        copyImages(images, order[first + b], 1, layout_.inputs(), &clean_[b * inputs]);
        std::copy_n(&clean_[b * inputs], inputs, &noisy_[b * inputs]);
        addNoise(noise, order[first + b], layout_.inputs(), &noisy_[b * inputs]);
      }
      step(clean_.data(), noisy_.data(), static_cast<int>(batch), losses);
      control.publish({static_cast<std::uint32_t>(losses.images), static_cast<float>(losses.loss())});
    }
    return losses;
  }

  Losses trainBatch(const float* clean, const float* noisy, std::size_t count) override {
    Losses losses;
    step(clean, noisy, static_cast<int>(count), losses);
    return losses;
  }

  void encode(const Images& images, float* embedding) override {
    forEachBatch(images, nullptr, layout_.bottleneck + 1, [&](std::size_t first, std::size_t batch) {
      std::copy_n(network_.latent(), batch * layout_.latent(), embedding + first * layout_.latent());
    });
  }

  void reconstruct(const Images& images, float* output) override {
    forEachBatch(images, nullptr, layout_.layers.size(), [&](std::size_t first, std::size_t batch) {
      std::copy_n(network_.output(), batch * layout_.inputs(), output + first * layout_.inputs());
    });
  }

  double meanSquaredError(const Images& images, const Noise* noise) override {
    double sum = 0;
    forEachBatch(images, noise, layout_.layers.size(), [&](std::size_t, std::size_t batch) {
      sum += squaredErrorForward(network_.output(), clean_.data(), batch * layout_.inputs());
    });
    return sum / (static_cast<double>(images.count) * layout_.inputs());
  }

 private:
  std::size_t batchArea(int width) const { return static_cast<std::size_t>(spec_.batchSize) * width; }

  void step(const float* clean, const float* noisy, int batch, Losses& losses) {
    network_.forwardTraining(noisy, batch, state_.parameters.data(), state_.runningStatistics.data());
    const std::size_t pixels = static_cast<std::size_t>(batch) * layout_.inputs();
    losses.squaredError += squaredErrorForward(network_.output(), clean, pixels) / layout_.inputs();
    losses.images += batch;

    const bool penalized = !eigenLosses_.empty() && batch > layout_.latent();
    if (penalized) penalize(batch, losses);
    network_.backward(noisy, clean, batch, state_.parameters.data(), penalized ? latentGradient_.data() : nullptr,
                      gradient_.data());
    ++state_.step;
    adamStep(spec_.adam, state_.step, gradient_.data(), gradient_.size(), state_.parameters.data(),
             state_.firstMoments.data(), state_.secondMoments.data());
  }

  void penalize(int batch, Losses& losses) {
    const std::size_t count = static_cast<std::size_t>(batch) * layout_.latent();
    const std::vector<double> latent(network_.latent(), network_.latent() + count);
    std::fill(latentGradient_.begin(), latentGradient_.end(), 0.0);
    for (const EigenLoss& eigenLoss : eigenLosses_) {
      const double value = spectralEigenLoss(latent.data(), batch, layout_.latent(), eigenLoss.spec.center,
                                           eigenLoss.function, eigenLoss.spec.parameters, eigenLoss.spec.weight,
                                           latentGradient_.data());
      losses.eigenLoss += value * batch;
      losses.weighted += eigenLoss.spec.weight * value * batch;
    }
    losses.eigenLossImages += batch;
  }

  // Runs the first `layers` layers in inference mode on batch after batch, and calls visit(first image, batch).
  template <typename Visit>
  void forEachBatch(const Images& images, const Noise* noise, std::size_t layers, Visit visit) {
    const std::size_t inputs = layout_.inputs(), batchSize = spec_.batchSize;
    for (std::size_t first = 0; first < images.count; first += batchSize) {
      const std::size_t batch = std::min(batchSize, images.count - first);
      copyImages(images, first, batch, layout_.inputs(), clean_.data());
      const float* input = clean_.data();
      if (noise != nullptr) {
        std::copy_n(clean_.data(), batch * inputs, noisy_.data());
        for (std::size_t b = 0; b < batch; ++b) {
          addNoise(*noise, static_cast<std::uint32_t>(first + b), layout_.inputs(), &noisy_[b * inputs]);
        }
        input = noisy_.data();
      }
      network_.forwardInference(input, static_cast<int>(batch), state_.parameters.data(),
                                state_.runningStatistics.data(), layers);
      visit(first, batch);
    }
  }

  const TrainerSpec spec_;
  const Layout layout_;
  std::vector<EigenLoss> eigenLosses_;
  State state_;
  Network network_;
  std::vector<float> clean_, noisy_;    // [batchSize][inputs]
  std::vector<double> latentGradient_;  // [batchSize][latent], of the eigen losses
  std::vector<float> gradient_;         // as the parameters
};

}  // namespace

std::unique_ptr<Trainer> createScalarTrainer(const TrainerSpec& spec) { return std::make_unique<ScalarTrainer>(spec); }

}  // namespace eigenae
