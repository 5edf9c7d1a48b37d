// The eigen losses on the latent codes of one batch.
#pragma once

#include <memory>
#include <vector>

#include "../eigen_losses/eigen_losses.h"
#include "aligned.h"
#include "layout.h"
#include "spectral.h"
#include "trainer.h"

namespace eigenae {

class EigenLossTerm {
 public:
  // Throws std::invalid_argument for an unknown kind, std::out_of_range where a kind's parameter is missing.
  EigenLossTerm(const TrainerSpec& spec, const Layout& layout, const Kernels& kernels, const CallControl& control);

  // A batch with no more images than latent dimensions has none: its codes cannot span them all.
  bool applies(int count) const { return !eigenLosses_.empty() && count > latent_; }

  // As many products of floats take about the time that the eigen losses do.
  double timeInProducts(int count) const;

  // Makes room for batches of so many images: of one size, and of another for an epoch's last one.
  void prepare(int count);

  // codes: panels [latent], `stride` apart. After prepare(count). If it is stopped, value and gradient are those of a
  // batch without eigen losses.
  void evaluate(const float* codes, std::size_t stride, int count);

  // After evaluate: panels [latent], latent · panelColumns apart.
  const float* gradient() const { return gradient_.get(); }
  const float* gradientSums() const { return gradientSums_.data(); }  // [latent], over the batch
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
  std::unique_ptr<Spectrum> spectra_[2];  // of whole batches, of another size
  AlignedFloats gradient_;
  std::vector<float> gradientSums_;
  double value_ = 0, weighted_ = 0;
};

}  // namespace eigenae
