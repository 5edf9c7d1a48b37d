// The training core's one door: what an engine built on it can ask for. No Node header is included below here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "call_control.h"

namespace eigenae {

enum class BatchNorm { none, encoder, all };

// One eigen loss on the singular values of the bottleneck's outputs; `kind` names a row of eigen_losses.cc's table.
struct EigenLossSpec {
  std::string kind;
  double weight = 1;
  bool center = false;
  std::map<std::string, double> parameters;
};

struct AdamSpec {
  double learningRate = 0.005;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

struct TrainerSpec {
  std::vector<int> widths;  // the encoder's, input first, bottleneck last; the decoder mirrors it
  BatchNorm batchNorm = BatchNorm::none;
  std::vector<EigenLossSpec> eigenLosses;
  AdamSpec adam;
  int batchSize = 64;
  std::uint32_t seed = 0;  // names the training noise
  float noise = 0.2f;      // standard deviation of the training noise
  int threads = 1;
};

// Parameters are one flat array, layer by layer from the first encoder layer to the last decoder layer:
// weight [out][in], bias [out] and, on a layer with batch norm, gamma [out], beta [out]. The two moments have the
// same layout. Running statistics: per layer with batch norm, mean [out], variance [out].
struct State {
  std::int64_t step = 0;  // Adam steps taken
  std::vector<float> parameters, firstMoments, secondMoments, runningStatistics;
};

// A field of standard normal numbers times `deviation`, named by its seed and purpose (random.h) and epoch.
struct Noise {
  std::uint32_t seed;
  std::uint32_t purpose;
  std::uint32_t epoch;
  float deviation;
};

// Sums over what was trained; a mean is a sum divided by its count of images.
struct Losses {
  double squaredError = 0;  // sum over images of the mean over pixels
  double eigenLoss = 0;       // sum of (unweighted eigen loss × batch images), over batches that had one
  double weighted = 0;      // the same with the weights
  std::int64_t images = 0;
  std::int64_t eigenLossImages = 0;

  // Sum over images of what is minimised. Over all images, as a batch without an eigen loss adds 0.
  double loss() const { return squaredError + weighted; }
};

// Images as bytes [count][inputs] (a pixel's value is byte/255) or as floats [count][inputs]; exactly one is set.
struct Images {
  const std::uint8_t* bytes = nullptr;
  const float* floats = nullptr;
  std::size_t count = 0;
};

// Not thread-safe: one call at a time, except for `control`. The same spec, state and input give the same bits at any
// number of threads.
class Trainer {
 public:
  // Throws std::invalid_argument where an eigen loss's kind is unknown or EIGENAE_ISA names what is not here, out_of_range
  // where an eigen loss lacks a parameter, system_error where there are not so many threads; the rest of the spec is trusted.
  static std::unique_ptr<Trainer> create(const TrainerSpec& spec);
  virtual ~Trainer() = default;

  virtual std::size_t parameterCount() const = 0;
  virtual std::size_t runningStatisticCount() const = 0;
  virtual void setState(const State& state) = 0;
  virtual State getState() const = 0;

  // One pass over images.bytes in the given order [count], batch after batch, the last one short. A batch with no more
  // images than latent dimensions trains without the eigen losses. Training noise: Noise{seed, purpose::trainingNoise,
  // epoch, noise}, its index the image's place in `images` (not in `order`).
  virtual Losses trainEpoch(const Images& images, const std::uint32_t* order, std::size_t count,
                            std::uint32_t epoch) = 0;

  // One step on a given batch: clean and noisy are [count][inputs], count ≤ batchSize.
  virtual Losses trainBatch(const float* clean, const float* noisy, std::size_t count) = 0;

  // Inference mode (batch norm by running statistics). embedding: [count][latent]; output: [count][inputs].
  virtual void encode(const Images& images, float* embedding) = 0;
  virtual void reconstruct(const Images& images, float* output) = 0;

  // mean over images and pixels of (reconstruction(x + noise) − x)²; noise may be null.
  virtual double meanSquaredError(const Images& images, const Noise* noise) = 0;

  // A call that it stops returns within about a second. An epoch ends behind a batch, whose eigen losses may be left out; what
  // any other call gives is of no use. The next call is stopped, too, unless control.begin() comes before it.
  CallControl control;
};

}  // namespace eigenae
