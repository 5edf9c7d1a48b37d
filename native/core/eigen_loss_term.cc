#include "eigen_loss_term.h"

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
  const std::vector<double> flat(latent_, 1.0);
  std::vector<double> derivatives(latent_);
  for (const EigenLossSpec& eigenLoss : spec.eigenLosses) {
    eigenLosses_.push_back({eigenLoss, findEigenLoss(eigenLoss.kind)});
    // Evaluated once here, so that a missing parameter throws now. A step must not throw.
    eigenLosses_.back().function(flat.data(), latent_, eigenLoss.parameters, derivatives.data());
  }
  if (eigenLosses_.empty()) return;
  gradient_ = alignedFloats(roundUp(spec.batchSize, panelColumns_) * latent_);
}

// The terms are copies and conversions, the gradient, the triangular factor, and the rotations (a fixed time for each
// pair and one proportional to its length). The coefficients were measured with AVX2.
double EigenLossTerm::costInFmas(int count) const {
  const double images = count, latent = latent_, rank = rank_;
  const double each = images * latent * (67 + 2.3 * latent) + 13.6 * images * rank * (latent - rank / 2) +
                      rank * rank * (1500 + 46 * latent);
  return eigenLosses_.empty() ? 0 : 1e5 + eigenLosses_.size() * each;
}

void EigenLossTerm::prepare(int count) {
  if (!applies(count)) return;
  std::unique_ptr<Spectrum>& spectrum = spectrumOf(count);
  if (spectrum != nullptr && spectrum->batch() == count) return;
  spectrum = std::make_unique<Spectrum>(kernels_, control_, count, latent_);
}

void EigenLossTerm::evaluate(const float* embedding, std::size_t stride, int count) {
  Spectrum& spectrum = *spectrumOf(count);
  for (int i = 0; i < latent_; ++i) {
    kernels_.widen(embedding + i * panelColumns_, stride, count, spectrum.column(i));
  }
  spectrum.clearGradient();
  value_ = weighted_ = 0;
  for (const EigenLoss& eigenLoss : eigenLosses_) {
    const double value =
        spectrum.eigenLoss(eigenLoss.spec.center, eigenLoss.function, eigenLoss.spec.parameters, eigenLoss.spec.weight);
    value_ += value;
    weighted_ += eigenLoss.spec.weight * value;
  }
  if (control_.stopped()) {
    value_ = weighted_ = 0;
    spectrum.clearGradient();
  }
  for (int i = 0; i < latent_; ++i) {
    const double sum =
        kernels_.narrow(spectrum.gradient(i), count, gradient_.get() + i * panelColumns_, latent_ * panelColumns_);
    gradientSums_[i] = static_cast<float>(sum);
  }
}

}  // namespace eigenae
