// The penalties on the latent codes of one batch.
#pragma once

#include <memory>
#include <vector>

#include "../penalties/penalties.h"
#include "aligned.h"
#include "layout.h"
#include "spectral.h"
#include "trainer.h"

namespace eigenae {

class PenaltyTerm {
 public:
  PenaltyTerm(const TrainerSpec& spec, const Layout& layout, const Kernels& kernels);

  // A batch with no more images than latent dimensions has none: its codes cannot span them all.
  bool applies(int count) const { return !penalties_.empty() && count > latent_; }

  // As many products of floats take about the time that the penalties do.
  double timeInProducts(int count) const;

  // codes: panels [latent], `stride` apart.
  void evaluate(const float* codes, std::size_t stride, int count);

  // After evaluate: panels [latent], latent · panelColumns apart.
  const float* gradient() const { return gradient_.get(); }
  const float* gradientSums() const { return gradientSums_.data(); }  // [latent], over the batch
  double value() const { return value_; }
  double weighted() const { return weighted_; }

 private:
  struct Penalty {
    PenaltySpec spec;
    PenaltyFunction function;
  };

  const Kernels& kernels_;
  const int latent_, rank_, panelColumns_;
  std::vector<Penalty> penalties_;
  std::unique_ptr<Spectrum> spectrum_;  // of the last batch's size
  AlignedFloats gradient_;
  std::vector<float> gradientSums_;
  double value_ = 0, weighted_ = 0;
};

}  // namespace eigenae
