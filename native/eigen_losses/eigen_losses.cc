#include "eigen_losses.h"

#include <stdexcept>

namespace eigenae {

double topK(const double* singularValues, int count, const EigenLossParameters& parameters, double* derivatives);
double logMax(const double* singularValues, int count, const EigenLossParameters& parameters, double* derivatives);
double entropy(const double* singularValues, int count, const EigenLossParameters& parameters, double* derivatives);
double logDet(const Moments& moments, const EigenLossParameters& parameters, const MomentDerivatives& derivatives);
double klNormal(const Moments& moments, const EigenLossParameters& parameters, const MomentDerivatives& derivatives);
double covariance(const Moments& moments, const EigenLossParameters& parameters, const MomentDerivatives& derivatives);
double decorrelation(const Moments& moments, const EigenLossParameters& parameters,
                     const MomentDerivatives& derivatives);
void klDiagonal(const FeatureMoments& moments, const EigenLossParameters& parameters, const FeatureLosses& losses);
void variance(const FeatureMoments& moments, const EigenLossParameters& parameters, const FeatureLosses& losses);

namespace {

constexpr EigenLossFormula table[] = {
    {.kind = "top-k", .ofSpectrum = topK},
    {.kind = "log-max", .ofSpectrum = logMax},
    {.kind = "entropy", .ofSpectrum = entropy},
    {.kind = "log-det", .ofMoments = logDet},
    {.kind = "kl-normal", .ofMoments = klNormal, .alwaysCentred = true},
    {.kind = "kl-diagonal", .ofFeatures = klDiagonal, .alwaysCentred = true},
    {.kind = "variance", .ofFeatures = variance, .alwaysCentred = true},
    {.kind = "covariance", .ofMoments = covariance, .alwaysCentred = true},
    {.kind = "decorrelation", .ofMoments = decorrelation, .alwaysCentred = true},
};

}  // namespace

const EigenLossFormula& findEigenLoss(const std::string& kind) {
  for (const EigenLossFormula& formula : table) {
    if (kind == formula.kind) return formula;
  }
  throw std::invalid_argument("unknown eigen loss kind \"" + kind + "\"");
}

// Evaluates the formula for two images of a layer of one feature.
void requireParameters(const EigenLossFormula& formula, const EigenLossParameters& parameters) {
  constexpr int images = 2, width = 1;
  const double one = 1;
  double results[3] = {};
  if (formula.ofSpectrum != nullptr) formula.ofSpectrum(&one, width, parameters, results);
  if (formula.ofFeatures != nullptr) {
    formula.ofFeatures({.images = images, .features = width, .means = &one, .variances = &one}, parameters,
                       {.values = &results[0], .byMeans = &results[1], .byVariances = &results[2]});
  }
  if (formula.ofMoments == nullptr) return;
  const Moments moments{.images = images,
                        .width = width,
                        .means = &one,
                        .covariances = &one,
                        .stride = width,
                        .logDeterminant = [](double, double*) { return 0; }};
  formula.ofMoments(moments, parameters, {.means = &results[0], .covariances = &results[1]});
}

}  // namespace eigenae
