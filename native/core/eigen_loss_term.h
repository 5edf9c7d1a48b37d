#pragma once

#include <memory>
#include <vector>

#include "../eigen_losses/eigen_losses.h"
#include "aligned.h"
#include "layout.h"
#include "spectral.h"
#include "trainer.h"

namespace eigenae {

// The eigen losses on the embedding of one batch, and their gradient.
class EigenLossTerm {
 public:
  // Throws std::invalid_argument if a kind is unknown and std::out_of_range if a parameter is missing.
  EigenLossTerm(const TrainerSpec& spec, const Layout& layout, const Kernels& kernels, const CallControl& control);

  // A batch with no more images than latent dimensions trains without eigen losses, because its embedding cannot span
  // all dimensions.
  bool applies(int count) const { return !eigenLosses_.empty() && count > latent_; }

  // Estimated time of the eigen losses of `count` images, in fused multiply-adds of the dense products.
  double costInFmas(int count) const;

  // Allocates memory for batches of `count` images. There are at most two sizes: the batch size, and that of an epoch's
  // last batch.
  void prepare(int count);

  // embedding: panels [latent][images], `stride` apart. prepare(count) must have been called. If the call is stopped,
  // the value and the gradient are 0.
  void evaluate(const float* embedding, std::size_t stride, int count);

  // The results of evaluate. gradient: panels [latent][images], latent · panelColumns apart.
  const float* gradient() const { return gradient_.get(); }
  const float* gradientSums() const { return gradientSums_.data(); }  // [latent], summed over the batch
  double value() const { return value_; }
  double weighted() const { return weighted_; }

 private:
  struct EigenLoss {
    EigenLossSpec spec;
    EigenLossFunction function;
  };

  std::unique_ptr<Spectrum>& spectrumOf(int count) { return spectra_[count == batchSize_ ? 0 : 1]; }

  const Kernels& kernels_;
  const CallControl& control_;
  const int batchSize_, latent_, rank_, panelColumns_;
  std::vector<EigenLoss> eigenLosses_;
  std::unique_ptr<Spectrum> spectra_[2];  // for whole batches, and for the other size
  AlignedFloats gradient_;
  std::vector<float> gradientSums_;
  double value_ = 0, weighted_ = 0;
};

}  // namespace eigenae
