#include "penalty_term.h"

#include <algorithm>

#include "spectral.h"

namespace eigenae {

PenaltyTerm::PenaltyTerm(const TrainerSpec& spec, int latent, int panelColumns)
    : latent_(latent), panelColumns_(panelColumns), gradientSums_(latent) {
  for (const PenaltySpec& penalty : spec.penalties) penalties_.push_back({penalty, findPenalty(penalty.kind)});
  if (penalties_.empty()) return;
  const std::size_t images = (spec.batchSize + panelColumns - 1) / panelColumns * panelColumns;
  codes_.resize(images * latent);
  codeGradient_.resize(images * latent);
  gradient_ = alignedFloats(images * latent);
}

void PenaltyTerm::evaluate(const float* codes, std::size_t stride, int count) {
  const auto place = [&](int image, int dimension, std::size_t panelStride) {
    return image / panelColumns_ * panelStride + static_cast<std::size_t>(dimension) * panelColumns_ +
           image % panelColumns_;
  };
  for (int b = 0; b < count; ++b) {
    for (int i = 0; i < latent_; ++i) codes_[static_cast<std::size_t>(b) * latent_ + i] = codes[place(b, i, stride)];
  }
  std::fill(codeGradient_.begin(), codeGradient_.end(), 0.0);
  value_ = weighted_ = 0;
  for (const Penalty& penalty : penalties_) {
    const double value = spectralPenalty(codes_.data(), count, latent_, penalty.spec.center, penalty.function,
                                         penalty.spec.parameters, penalty.spec.weight, codeGradient_.data());
    value_ += value;
    weighted_ += penalty.spec.weight * value;
  }
  const std::size_t gradientStride = static_cast<std::size_t>(latent_) * panelColumns_;
  for (int i = 0; i < latent_; ++i) {
    double sum = 0;
    for (int b = 0; b < count; ++b) {
      const double value = codeGradient_[static_cast<std::size_t>(b) * latent_ + i];
      sum += value;
      gradient_[place(b, i, gradientStride)] = static_cast<float>(value);
    }
    gradientSums_[i] = static_cast<float>(sum);
  }
}

}  // namespace eigenae
