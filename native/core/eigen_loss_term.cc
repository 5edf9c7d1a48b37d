#include "eigen_loss_term.h"

#include <algorithm>
#include <stdexcept>

namespace eigenae {

EigenLossTerm::EigenLossTerm(const TrainerSpec& spec, const Layout& layout, const Kernels& kernels,
                             const CallControl& control)
    : kernels_(kernels),
      control_(control),
      batchSize_(spec.batchSize),
      latent_(layout.latent()),
      rank_(layout.embeddingRank()),
      panelColumns_(kernels.panelColumns),
      gradientSums_(latent_) {
  for (const EigenLossSpec& eigenLoss : spec.eigenLosses) {
    if (eigenLoss.layers != std::vector<int>{static_cast<int>(layout.latentLayer)}) {
      throw std::invalid_argument("eigen losses act on the latent layer only");
    }
    eigenLosses_.push_back({eigenLoss, findEigenLoss(eigenLoss.kind)});
    requireParameters(eigenLosses_.back().formula, eigenLoss.parameters);  // now, because a step must not throw
  }
  if (eigenLosses_.empty()) return;
  gradient_ = alignedFloats(roundUp(spec.batchSize, panelColumns_) * latent_);
}

// The terms are copies and conversions, the gradient, the triangular factor, and the rotations (a fixed time for each
// pair and one proportional to its length). The coefficients were measured with AVX2.
double EigenLossTerm::costInFmas(int count, const double* weights) const {
  std::size_t terms = 0;
  for (std::size_t i = 0; i < eigenLosses_.size(); ++i) terms += applies(eigenLosses_[i], count, weights[i]);
  const double images = count, latent = latent_, rank = rank_;
  const double each = images * latent * (67 + 2.3 * latent) + 13.6 * images * rank * (latent - rank / 2) +
                      rank * rank * (1500 + 46 * latent);
  return terms == 0 ? 0 : 1e5 + terms * each;
}

void EigenLossTerm::prepare(int count) {
  const auto fits = [&](const EigenLoss& eigenLoss) { return applies(eigenLoss, count, 1); };
  if (std::none_of(eigenLosses_.begin(), eigenLosses_.end(), fits)) return;
  std::unique_ptr<LayerMatrix>& matrix = matrixOf(count);
  if (matrix != nullptr && matrix->batch() == count) return;
  matrix = std::make_unique<LayerMatrix>(kernels_, control_, count, latent_);
  for (const EigenLoss& eigenLoss : eigenLosses_) matrix->prepare(eigenLoss.formula);
}

bool EigenLossTerm::applies(int count, const double* weights) const {
  for (std::size_t i = 0; i < eigenLosses_.size(); ++i) {
    if (applies(eigenLosses_[i], count, weights[i])) return true;
  }
  return false;
}

void EigenLossTerm::evaluate(const float* embedding, std::size_t stride, int count, const double* weights) {
  LayerMatrix& matrix = *matrixOf(count);
  for (int i = 0; i < latent_; ++i) {
    kernels_.widen(embedding + i * panelColumns_, stride, count, matrix.column(i));
  }
  matrix.clearGradient();
  for (std::size_t i = 0; i < eigenLosses_.size(); ++i) {
    EigenLoss& eigenLoss = eigenLosses_[i];
    if (!applies(eigenLoss, count, weights[i])) continue;
    eigenLoss.value = matrix.eigenLoss(eigenLoss.formula, eigenLoss.spec.center, eigenLoss.spec.parameters, weights[i]);
  }
  if (control_.stopped()) {
    for (EigenLoss& eigenLoss : eigenLosses_) eigenLoss.value = 0;
    matrix.clearGradient();
  }
  for (int i = 0; i < latent_; ++i) {
    const double sum =
        kernels_.narrow(matrix.gradient(i), count, gradient_.get() + i * panelColumns_, latent_ * panelColumns_);
    gradientSums_[i] = static_cast<float>(sum);
  }
}

void EigenLossTerm::addLosses(int count, const double* weights, Losses& losses) const {
  for (std::size_t i = 0; i < eigenLosses_.size(); ++i) {
    const EigenLoss& eigenLoss = eigenLosses_[i];
    if (!applies(eigenLoss, count, weights[i])) continue;
    losses.terms[i].value += eigenLoss.value * count;
    losses.terms[i].weighted += weights[i] * eigenLoss.value * count;
    losses.terms[i].images += count;
  }
}

}  // namespace eigenae
