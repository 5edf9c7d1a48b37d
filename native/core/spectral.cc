#include "spectral.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

#include "aligned.h"
#include "instruction_set.h"

namespace eigenae {

namespace {

constexpr double rounding = std::numeric_limits<double>::epsilon();
// Relative rounding error of the embedding, whose elements are sums in float: a few units in the last place.
constexpr double embeddingRounding = 0x1p-21;
constexpr std::size_t line = 8;  // doubles in a cache line, to which columns are padded

}  // namespace

Spectrum::Spectrum(const Kernels& kernels, const CallControl& control, int batch, int width)
    : kernels_(kernels),
      control_(control),
      batch_(batch),
      width_(width),
      stride_(roundUp(batch, line)),
      smallStride_(roundUp(width, line)),
      memory_(4 * width * stride_ + 2 * (width + 1) * smallStride_ + line),
      squares_(width + 1),
      noise_(width),
      values_(width),
      derivatives_(width),
      weights_(width),
      order_(width) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory_.data()) / sizeof(double);
  embedding_ = memory_.data() + (line - address % line) % line;
  factored_ = embedding_ + width * stride_;
  scratch_ = factored_ + width * stride_;
  gradient_ = scratch_ + width * stride_;
  projections_ = gradient_ + width * stride_;
  matrix_ = projections_ + (width + 1) * smallStride_;
}

// Factorises Z = QR; rotations J then make the rows of R orthogonal, RᵀJ = VΣ. Neither step forms ZᵀZ, which would
// square the condition number and lose singular values below 1e-8 of the largest. The number of R's rows is the
// numerical rank of Z beside the rounding error of the embedding. The rest of a column that is rounding error alone is
// subtracted from Z.
const std::vector<double>& Spectrum::decompose(bool center) {
  std::copy_n(embedding_, width_ * stride_, factored_);
  std::fill(noise_.begin(), noise_.end(), 0.0);
  for (int i = 0; center && i < width_; ++i) {
    const double mean = subtractMean(factored_ + i * stride_);
    noise_[i] = batch_ * mean * mean;
  }
  std::copy_n(factored_, width_ * stride_, scratch_);
  rank_ = kernels_.triangularFactor(scratch_, stride_, width_, embeddingRounding, projections_, smallStride_,
                                    squares_.data(), noise_.data(), order_.data(), control_.stopWord());
  if (rank_ < 0) {
    values_.assign(width_, std::numeric_limits<double>::quiet_NaN());
    return values_;
  }
  for (int i = rank_; i < width_; ++i) {
    const double* rounding = scratch_ + order_[i] * stride_;
    double* column = factored_ + order_[i] * stride_;
    for (std::size_t k = 0; k < stride_; ++k) column[k] -= rounding[k];
  }
  std::fill(squares_.begin(), squares_.end(), 0.0);
  kernels_.orthogonalise(projections_, smallStride_, rank_, squares_.data(), control_.stopWord());
  std::iota(order_.begin(), order_.end(), 0);
  std::sort(order_.begin(), order_.end(),
            [&](int i, int j) { return squares_[i] != squares_[j] ? squares_[i] > squares_[j] : i < j; });
  for (int i = 0; i < width_; ++i) values_[i] = std::sqrt(squares_[order_[i]]);
  return values_;
}

double Spectrum::eigenLoss(bool center, EigenLossFunction function, const EigenLossParameters& parameters,
                           double scale) {
  decompose(center);
  if (control_.stopped()) return 0;
  if (std::isnan(values_[0])) return values_[0];

  // The shares of a spectrum of zeros are undefined, and their limit depends on the direction. The value and the
  // gradient are therefore 0.
  if (values_[0] == 0) return 0;
  const double value = function(values_.data(), width_, parameters, derivatives_.data());

  // ∂f/∂Z = Σ f′ᵢ uᵢ vᵢᵀ = Z · V diag(f′/σ) Vᵀ. The columns of the projections are vᵢσᵢ, hence σ³. If σᵢ is 0 up to
  // rounding, uᵢ is undefined (σ has a kink there) and the direction contributes nothing.
  const double negligible = rounding * std::max(batch_, width_) * values_[0];
  for (int i = 0; i < width_; ++i) {
    const double sigma = values_[i];
    weights_[order_[i]] = sigma > negligible ? scale * derivatives_[i] / sigma / sigma / sigma : 0;
  }
  kernels_.weightedSquare(projections_, smallStride_, rank_, width_, weights_.data(), matrix_);
  kernels_.combine(factored_, stride_, width_, matrix_, smallStride_, scratch_);
  for (int i = 0; center && i < width_; ++i) subtractMean(scratch_ + i * stride_);
  for (std::size_t i = 0; i < width_ * stride_; ++i) gradient_[i] += scratch_[i];
  return value;
}

void Spectrum::clearGradient() { std::fill_n(gradient_, width_ * stride_, 0.0); }

double Spectrum::subtractMean(double* column) const {
  const double mean = std::accumulate(column, column + batch_, 0.0) / batch_;
  for (int b = 0; b < batch_; ++b) column[b] -= mean;
  return mean;
}

namespace {

void setEmbedding(Spectrum& spectrum, const double* latent, int batch, int width) {
  for (int b = 0; b < batch; ++b) {
    for (int i = 0; i < width; ++i) spectrum.column(i)[b] = latent[static_cast<std::size_t>(b) * width + i];
  }
}

}  // namespace

std::vector<double> singularValues(const double* latent, int batch, int width) {
  const CallControl control;
  Spectrum spectrum(*chosenInstructionSet().kernels, control, batch, width);
  setEmbedding(spectrum, latent, batch, width);
  return spectrum.decompose(false);
}

double spectralEigenLoss(const double* latent, int batch, int width, bool center, EigenLossFunction eigenLoss,
                         const EigenLossParameters& parameters, double scale, double* gradient) {
  const CallControl control;
  Spectrum spectrum(*chosenInstructionSet().kernels, control, batch, width);
  setEmbedding(spectrum, latent, batch, width);
  const double value = spectrum.eigenLoss(center, eigenLoss, parameters, scale);
  for (int b = 0; b < batch; ++b) {
    for (int i = 0; i < width; ++i) {
      gradient[static_cast<std::size_t>(b) * width + i] += spectrum.gradient(i)[b];
    }
  }
  return value;
}

}  // namespace eigenae
