// The interface of the training core. Neither this file nor anything that it includes depends on Node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "activation.h"
#include "call_control.h"

namespace eigenae {

// A term of the loss: its weight at the step · the mean over its layers of its kind's value. `kind` names a row of the
// table in eigen_losses.cc.
struct EigenLossSpec {
  std::string kind;
  bool center = false;
  std::map<std::string, double> parameters;
  // Positions in the forward pass, ascending. The matrix [batch][width] of the latent layer is the embedding, after
  // batch norm; that of any other layer is the output of its linear map, before batch norm and activation.
  std::vector<int> layers;
  int minimumImages = 1;  // a batch of fewer images trains without this term
};

// torch.optim.Adam, or AdamW if weightDecay is not 0. The decay applies to weights, not to biases and batch norm.
struct AdamSpec {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weightDecay = 0;
};

// torch.optim.SGD without dampening. The momentum's buffer is firstMoments; secondMoments are not used.
struct SgdSpec {
  double momentum = 0;
  bool nesterov = false;
};

struct TrainerSpec {
  std::vector<int> widths;      // the encoder's, from the input to the latent layer; the decoder mirrors it
  std::vector<bool> batchNorm;  // for each layer but the output, 2 · (widths − 1) − 1 in all
  ActivationFunction activation{Activation::relu};  // of the hidden layers
  std::vector<EigenLossSpec> eigenLosses;
  std::variant<AdamSpec, SgdSpec> optimizer;
  std::optional<double> averaging;  // decay of the exponential average of parameters and running statistics
  int batchSize = 64;
  std::uint32_t seed = 0;  // of the training noise
  float noise = 0.2f;      // standard deviation of the training noise
  int threads = 1;
};

// The numbers of a call that change from step to step. src/engines/core-trainer.ts computes them.
struct StepValues {
  const double* learningRates;  // [steps]
  const double* weights;        // [steps][eigen losses]; a term with weight 0 is not computed
};

// Parameters are one flat array, layer by layer from the encoder's first to the decoder's last: weight [out][in],
// bias [out] and, if the layer has batch norm, gamma [out] and beta [out]. Both moments have the same layout. The
// running statistics of each layer with batch norm are mean [out] and variance [out].
struct State {
  std::int64_t step = 0;  // steps taken
  std::vector<float> parameters, firstMoments, secondMoments, runningStatistics;
  // Averages of parameters and running statistics; empty without averaging.
  std::vector<float> averagedParameters, averagedStatistics;
};

// Normal noise of the given standard deviation for all pixels of all images. Its numbers are determined by seed,
// purpose and epoch (random.h).
struct Noise {
  std::uint32_t seed;
  std::uint32_t purpose;
  std::uint32_t epoch;
  float deviation;
};

// Sums over the images of the batches that had an eigen loss.
struct TermLosses {
  double value = 0;  // unweighted; the mean over the layers
  double weighted = 0;
  std::int64_t images = 0;
};

// Sums over the images of an epoch or a batch. A mean is a sum divided by its number of images.
struct Losses {
  double squaredError = 0;  // of the mean over pixels
  std::int64_t images = 0;
  std::vector<TermLosses> terms;  // for each eigen loss of the spec

  // Sum over all images of the loss that is minimised; a batch without a term adds 0 for it.
  double loss() const {
    double sum = squaredError;
    for (const TermLosses& term : terms) sum += term.weighted;
    return sum;
  }
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
  virtual std::int64_t step() const = 0;  // steps taken
  virtual void setState(const State& state) = 0;
  virtual State getState() const = 0;

  // Trains on images.bytes in the given order [count], batch by batch; the last batch may be smaller. The training
  // noise is Noise{seed, purpose::trainingNoise, epoch, noise}; an image's noise depends on its index in `images`, not
  // on its position in `order`.
  virtual Losses trainEpoch(const Images& images, const std::uint32_t* order, std::size_t count, std::uint32_t epoch,
                            const StepValues& values) = 0;

  // Takes one step on a given batch: clean and noisy are [count][inputs], with count ≤ batchSize.
  virtual Losses trainBatch(const float* clean, const float* noisy, std::size_t count, const StepValues& values) = 0;

  // Inference with the averaged network if there is one. Batch norm uses its running statistics: embedding
  // [count][latent], output [count][inputs].
  virtual void encode(const Images& images, float* embedding) = 0;
  virtual void reconstruct(const Images& images, float* output) = 0;
  // Writes the outputs of the hidden layers' linear maps: [count][sum of the hidden layers' widths], layer by layer in
  // the order of the forward pass.
  virtual void linearOutputs(const Images& images, float* outputs) = 0;

  // Returns the mean over images and pixels of (reconstruction(x + noise) − x)². noise may be null.
  virtual double meanSquaredError(const Images& images, const Noise* noise) = 0;

  // A call that is stopped returns within about a second. trainEpoch then returns after the current batch, whose eigen
  // losses may be missing; the result of any other call is meaningless. control.begin() must precede the next call,
  // which would otherwise stop as well.
  CallControl control;
};

}  // namespace eigenae
