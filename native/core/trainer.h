// The interface of the training core. Neither this file nor anything that it includes depends on Node.
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

// One eigen loss on the singular values of the embedding. `kind` names a row of the table in eigen_losses.cc.
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
  std::vector<int> widths;  // the encoder's, from the input to the latent layer; the decoder mirrors it
  BatchNorm batchNorm = BatchNorm::none;
  std::vector<EigenLossSpec> eigenLosses;
  AdamSpec adam;
  int batchSize = 64;
  std::uint32_t seed = 0;  // of the training noise
  float noise = 0.2f;      // standard deviation of the training noise
  int threads = 1;
};

// Parameters are one flat array, layer by layer from the encoder's first to the decoder's last: weight [out][in],
// bias [out] and, if the layer has batch norm, gamma [out] and beta [out]. Both moments have the same layout. The
// running statistics of each layer with batch norm are mean [out] and variance [out].
struct State {
  std::int64_t step = 0;  // Adam steps taken
  std::vector<float> parameters, firstMoments, secondMoments, runningStatistics;
};

// Normal noise of the given standard deviation for all pixels of all images. Its numbers are determined by seed,
// purpose and epoch (random.h).
struct Noise {
  std::uint32_t seed;
  std::uint32_t purpose;
  std::uint32_t epoch;
  float deviation;
};

// Sums over the images of an epoch or a batch. A mean is a sum divided by its number of images.
struct Losses {
  double squaredError = 0;  // sum over images of the mean over pixels
  double eigenLoss = 0;     // sum over batches with an eigen loss of (unweighted eigen loss × images of the batch)
  double weighted = 0;      // the same sum with the weights
  std::int64_t images = 0;
  std::int64_t eigenLossImages = 0;  // images of the batches with an eigen loss

  // Sum over all images of the loss that is minimised; a batch without an eigen loss adds 0 for it.
  double loss() const { return squaredError + weighted; }
};

// Images [count][inputs], either as bytes (a pixel's value is byte / 255) or as floats. Exactly one pointer is set.
struct Images {
  const std::uint8_t* bytes = nullptr;
  const float* floats = nullptr;
  std::size_t count = 0;
};

// Not thread-safe: only `control` may be used during a call. The same spec, state and input give the same bits with any
// number of threads.
class Trainer {
 public:
  // Throws std::invalid_argument if the kind of an eigen loss is unknown or the processor lacks the instruction set
  // that EIGENAE_ISA names, std::out_of_range if an eigen loss lacks a parameter, and std::system_error if the machine
  // cannot start the threads. The rest of the spec is trusted.
  static std::unique_ptr<Trainer> create(const TrainerSpec& spec);
  virtual ~Trainer() = default;

  virtual std::size_t parameterCount() const = 0;
  virtual std::size_t runningStatisticCount() const = 0;
  virtual void setState(const State& state) = 0;
  virtual State getState() const = 0;

  // Trains on images.bytes in the given order [count], batch by batch; the last batch may be smaller. A batch with no
  // more images than latent dimensions trains without eigen losses. The training noise is Noise{seed,
  // purpose::trainingNoise, epoch, noise}; an image's noise depends on its index in `images`, not on its position in
  // `order`.
  virtual Losses trainEpoch(const Images& images, const std::uint32_t* order, std::size_t count,
                            std::uint32_t epoch) = 0;

  // Takes one step on a given batch: clean and noisy are [count][inputs], with count ≤ batchSize.
  virtual Losses trainBatch(const float* clean, const float* noisy, std::size_t count) = 0;

  // Inference, with batch norm using its running statistics: embedding [count][latent], output [count][inputs].
  virtual void encode(const Images& images, float* embedding) = 0;
  virtual void reconstruct(const Images& images, float* output) = 0;

  // Returns the mean over images and pixels of (reconstruction(x + noise) − x)². noise may be null.
  virtual double meanSquaredError(const Images& images, const Noise* noise) = 0;

  // A call that is stopped returns within about a second. trainEpoch then returns after the current batch, whose eigen
  // losses may be missing; the result of any other call is meaningless. control.begin() must precede the next call,
  // which would otherwise stop as well.
  CallControl control;
};

}  // namespace eigenae
