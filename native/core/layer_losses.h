#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "../eigen_losses/eigen_losses.h"
#include "../kernels/kernels.h"
#include "aligned.h"
#include "layer_matrix.h"
#include "slices.h"
#include "trainer.h"

namespace eigenae {

// A term of the loss.
struct EigenLossTerm {
  EigenLossSpec spec;
  const EigenLossFormula& formula;

  // A batch has the terms that have a weight other than 0 and enough images.
  bool applies(int count, double weight) const { return weight != 0 && count >= spec.minimumImages; }
};

// The eigen losses on one layer, and their gradient with respect to the layer's values: panels [width][images]. The
// losses on means and variances are computed unit by unit and are divided among the threads by units. Those on
// covariances or singular values need the whole matrix; one thread computes them.
//
// `count` is the number of images of the batch and `weights` has one weight for each term of the loss.
class LayerLosses {
 public:
  enum class Sort { units, matrix };

  // Takes the terms that act on the layer. rank: upper bound of the rank of the layer's values.
  LayerLosses(const std::vector<EigenLossTerm>& terms, int layer, int width, int rank, int batchSize,
              const Kernels& kernels, const CallControl& control);

  bool empty() const { return losses_.empty(); }
  bool applies(int count, const double* weights) const;
  bool applies(Sort sort, int count, const double* weights) const;

  // Estimated time of evaluateMatrix, in fused multiply-adds of the dense products.
  double costInFmas(int count, const double* weights) const;

  // Allocates memory for batches of `count` images. There are at most two sizes: the batch size, and that of an epoch's
  // last batch.
  void prepare(int count);

  // Both read panels that are `stride` apart, must be called only if their sort of losses applies, and after
  // prepare(count). If the call is stopped, the losses and the gradient of the matrix are 0.
  void evaluateUnits(Range units, const float* values, std::size_t stride, int count, const double* weights);
  void evaluateMatrix(const float* values, std::size_t stride, int count, const double* weights);

  // The results, once all units and the matrix have been evaluated. The gradient includes the weights.

  // Adds to one panel of the gradient.
  void addGradient(int panel, const float* values, int count, const double* weights, float* gradient) const;
  // Adds the gradient's sums over the batch to sums [units]. They are more exact than the gradient.
  void addGradientSums(Range units, int count, const double* weights, float* sums) const;
  // Returns the unweighted loss of a term that applies and acts on this layer, otherwise 0.
  double value(std::size_t term) const;

 private:
  struct Loss {
    std::size_t term;
    double share;  // of the layer in the term, which is a mean over layers
    Sort sort;
    double value = 0;                     // of a matrix
    std::vector<double> unitValues = {};  // their mean is the value
  };

  bool applies(const Loss& loss, int count, const double* weights) const {
    return terms_[loss.term].applies(count, weights[loss.term]);
  }
  std::unique_ptr<LayerMatrix>& matrixOf(int count) { return matrices_[count == batchSize_ ? 0 : 1]; }

  const std::vector<EigenLossTerm>& terms_;
  const Kernels& kernels_;
  const CallControl& control_;
  const int batchSize_, width_, rank_, panelColumns_;
  std::vector<Loss> losses_;

  std::unique_ptr<LayerMatrix> matrices_[2];  // for whole batches, and for the other size
  AlignedFloats matrixGradient_;              // panels [width][images], width · panelColumns apart
  std::vector<float> matrixSums_;             // [width]

  // [width] each. With a unit's values x, the gradient is (x − centre) · slope + shift.
  std::vector<double> means_, variances_, byMeans_, byVariances_;
  std::vector<float> centres_, slopes_, shifts_, unitSums_;
};

}  // namespace eigenae
