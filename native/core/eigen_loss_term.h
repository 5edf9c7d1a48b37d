#pragma once

#include <memory>
#include <vector>

#include "../eigen_losses/eigen_losses.h"
#include "aligned.h"
#include "layer_matrix.h"
#include "layout.h"
#include "trainer.h"

namespace eigenae {

// The eigen losses on the embedding of one batch, and their gradient.
class EigenLossTerm {
 public:
  // Throws std::invalid_argument if a kind is unknown and std::out_of_range if a parameter is missing.
  EigenLossTerm(const TrainerSpec& spec, const Layout& layout, const Kernels& kernels, const CallControl& control);

  // The terms of a batch are those that have a weight other than 0 and enough images. `weights` has one for each term.
  bool applies(int count, const double* weights) const;

  // Estimated time of the eigen losses of `count` images, in fused multiply-adds of the dense products.
  double costInFmas(int count, const double* weights) const;

  // Allocates memory for batches of `count` images. There are at most two sizes: the batch size, and that of an epoch's
  // last batch.
  void prepare(int count);

  // embedding: panels [latent][images], `stride` apart. prepare(count) must have been called. If the call is stopped,
  // the values and the gradient are 0.
  void evaluate(const float* embedding, std::size_t stride, int count, const double* weights);

  // The results of evaluate. gradient: panels [latent][images], latent · panelColumns apart.
  const float* gradient() const { return gradient_.get(); }
  const float* gradientSums() const { return gradientSums_.data(); }  // [latent], summed over the batch
  void addLosses(int count, const double* weights, Losses& losses) const;

 private:
  struct EigenLoss {
    EigenLossSpec spec;
    const EigenLossFormula& formula;
    double value = 0;  // of the batch, unweighted
  };

  bool applies(const EigenLoss& eigenLoss, int count, double weight) const {
    return weight != 0 && count >= eigenLoss.spec.minimumImages;
  }
  std::unique_ptr<LayerMatrix>& matrixOf(int count) { return matrices_[count == batchSize_ ? 0 : 1]; }

  const Kernels& kernels_;
  const CallControl& control_;
  const int batchSize_, latent_, rank_, panelColumns_;
  std::vector<EigenLoss> eigenLosses_;
  std::unique_ptr<LayerMatrix> matrices_[2];  // for whole batches, and for the other size
  AlignedFloats gradient_;
  std::vector<float> gradientSums_;
};

}  // namespace eigenae
