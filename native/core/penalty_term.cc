#include "penalty_term.h"

namespace eigenae {

PenaltyTerm::PenaltyTerm(const TrainerSpec& spec, int latent, const Kernels& kernels)
    : kernels_(kernels), latent_(latent), panelColumns_(kernels.panelColumns), gradientSums_(latent) {
  for (const PenaltySpec& penalty : spec.penalties) penalties_.push_back({penalty, findPenalty(penalty.kind)});
  if (penalties_.empty()) return;
  const std::size_t images = (spec.batchSize + panelColumns_ - 1) / panelColumns_ * panelColumns_;
  gradient_ = alignedFloats(images * latent);
}

void PenaltyTerm::evaluate(const float* codes, std::size_t stride, int count) {
  if (spectrum_ == nullptr || spectrum_->batch() != count) {
    spectrum_ = std::make_unique<Spectrum>(kernels_, count, latent_);
  }
  for (int i = 0; i < latent_; ++i) {
    double* column = spectrum_->column(i);
    for (int b = 0; b < count; ++b) {
      column[b] = codes[b / panelColumns_ * stride + i * panelColumns_ + b % panelColumns_];
    }
  }
  codeGradient_.assign(latent_ * spectrum_->stride(), 0.0);
  value_ = weighted_ = 0;
  for (const Penalty& penalty : penalties_) {
    const double value = spectrum_->penalty(penalty.spec.center, penalty.function, penalty.spec.parameters,
                                            penalty.spec.weight, codeGradient_.data());
    value_ += value;
    weighted_ += penalty.spec.weight * value;
  }
  const std::size_t gradientStride = static_cast<std::size_t>(latent_) * panelColumns_;
  for (int i = 0; i < latent_; ++i) {
    const double* column = &codeGradient_[i * spectrum_->stride()];
    double sum = 0;
    for (int b = 0; b < count; ++b) {
      sum += column[b];
      gradient_[b / panelColumns_ * gradientStride + i * panelColumns_ + b % panelColumns_] =
          static_cast<float>(column[b]);
    }
    gradientSums_[i] = static_cast<float>(sum);
  }
}

}  // namespace eigenae
