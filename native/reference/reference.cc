// A complete training step in plain scalar C++, in reading order:
//
//   input      addNoise
//   forward    linear → batch norm → activation, for each layer; the latent layer has none, the last one a sigmoid
//   losses     mean squared error of the output, eigen losses of the embedding and of other layers' linear outputs
//   backward   the same layers in reverse order
//   update     Adam, AdamW or SGD, then the averages
//   trainer    the step, and the epoch around it
//
// Activations are [batch][width] and weights [outputs][inputs], row-major. Parameters and gradients are each stored in
// one flat array; Layout holds the offsets.
#include "reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "../core/random.h"
#include "../formulas/execute.h"

namespace eigenae {

namespace {

std::size_t area(int rows, int columns) { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns); }

}  // namespace

// --- Input ---

void addNoise(const Noise& noise, std::uint32_t image, int inputs, float* pixels) {
  if (noise.deviation == 0) return;
  for (int first = 0; first < inputs; first += 4) {
    const auto values = normals(noise.seed, noise.purpose, noise.epoch, image, first / 4);
    for (int i = 0; i < 4 && first + i < inputs; ++i) pixels[first + i] += noise.deviation * values[i];
  }
}

// --- Linear layer: output = input · weightᵀ + bias ---

void linearForward(const float* input, const float* weight, const float* bias, int batch, int inputs, int outputs,
                   float* output) {
  for (int b = 0; b < batch; ++b) {
    for (int o = 0; o < outputs; ++o) {
      float sum = bias[o];
      for (int i = 0; i < inputs; ++i) sum += input[area(b, inputs) + i] * weight[area(o, inputs) + i];
      output[area(b, outputs) + o] = sum;
    }
  }
}

// inputGradient = outputGradient · weight
void linearBackwardInput(const float* outputGradient, const float* weight, int batch, int inputs, int outputs,
                         float* inputGradient) {
  std::fill_n(inputGradient, area(batch, inputs), 0.0f);
  for (int b = 0; b < batch; ++b) {
    for (int o = 0; o < outputs; ++o) {
      const float g = outputGradient[area(b, outputs) + o];
      for (int i = 0; i < inputs; ++i) inputGradient[area(b, inputs) + i] += g * weight[area(o, inputs) + i];
    }
  }
}

// weightGradient = outputGradientᵀ · input
void linearBackwardWeight(const float* outputGradient, const float* input, int batch, int inputs, int outputs,
                          float* weightGradient) {
  std::fill_n(weightGradient, area(outputs, inputs), 0.0f);
  for (int b = 0; b < batch; ++b) {
    for (int o = 0; o < outputs; ++o) {
      const float g = outputGradient[area(b, outputs) + o];
      for (int i = 0; i < inputs; ++i) weightGradient[area(o, inputs) + i] += g * input[area(b, inputs) + i];
    }
  }
}

void linearBackwardBias(const float* outputGradient, int batch, int outputs, float* biasGradient) {
  std::fill_n(biasGradient, outputs, 0.0f);
  for (int b = 0; b < batch; ++b) {
    for (int o = 0; o < outputs; ++o) biasGradient[o] += outputGradient[area(b, outputs) + o];
  }
}

// --- Batch norm, as torch.nn.BatchNorm1d: output = gamma · (input − mean) / √(variance + normEpsilon) + beta ---

namespace {

constexpr float momentum = 0.1f;

// Returns [width] the means over the batch of first · second, element by element.
std::vector<float> meanProducts(const float* first, const float* second, int batch, int width) {
  std::vector<float> means(width, 0.0f);
  for (int b = 0; b < batch; ++b) {
    for (int i = 0; i < width; ++i) means[i] += first[area(b, width) + i] * second[area(b, width) + i];
  }
  for (float& mean : means) mean /= static_cast<float>(batch);
  return means;
}

// Returns [width] the means over the batch.
std::vector<float> means(const float* values, int batch, int width) {
  const std::vector<float> ones(area(batch, width), 1.0f);
  return meanProducts(values, ones.data(), batch, width);
}

}  // namespace

void batchNormForward(float* values, int batch, int width, const float* gamma, const float* beta, float* normalised,
                      float* inverseDeviation, float* runningMean, float* runningVariance) {
  const std::vector<float> mean = means(values, batch, width);
  for (int b = 0; b < batch; ++b) {
    for (int i = 0; i < width; ++i) normalised[area(b, width) + i] = values[area(b, width) + i] - mean[i];
  }
  const std::vector<float> variance = meanProducts(normalised, normalised, batch, width);
  for (int i = 0; i < width; ++i) inverseDeviation[i] = 1 / std::sqrt(variance[i] + normEpsilon);
  for (int b = 0; b < batch; ++b) {
    for (int i = 0; i < width; ++i) {
      float& n = normalised[area(b, width) + i];
      n *= inverseDeviation[i];
      values[area(b, width) + i] = gamma[i] * n + beta[i];
    }
  }

  if (batch == 1) return;  // a single image has no unbiased variance
  const float unbiased = static_cast<float>(batch) / static_cast<float>(batch - 1);
  for (int i = 0; i < width; ++i) {
    runningMean[i] += momentum * (mean[i] - runningMean[i]);
    runningVariance[i] += momentum * (unbiased * variance[i] - runningVariance[i]);
  }
}

// With g = the output's gradient and n = normalised:
// inputGradient = gamma · inverseDeviation · (g − mean(g) − n · mean(g · n))
void batchNormBackward(float* gradient, int batch, int width, const float* gamma, const float* normalised,
                       const float* inverseDeviation, float* gammaGradient, float* betaGradient) {
  const std::vector<float> mean = means(gradient, batch, width);
  const std::vector<float> projection = meanProducts(gradient, normalised, batch, width);
  for (int i = 0; i < width; ++i) {
    betaGradient[i] = mean[i] * static_cast<float>(batch);
    gammaGradient[i] = projection[i] * static_cast<float>(batch);
  }
  for (int b = 0; b < batch; ++b) {
    for (int i = 0; i < width; ++i) {
      float& g = gradient[area(b, width) + i];
      g = gamma[i] * inverseDeviation[i] * (g - mean[i] - normalised[area(b, width) + i] * projection[i]);
    }
  }
}

void batchNormInference(float* values, int batch, int width, const float* gamma, const float* beta,
                        const float* runningMean, const float* runningVariance) {
  for (int b = 0; b < batch; ++b) {
    for (int i = 0; i < width; ++i) {
      float& value = values[area(b, width) + i];
      value = gamma[i] / std::sqrt(runningVariance[i] + normEpsilon) * (value - runningMean[i]) + beta[i];
    }
  }
}

// --- Activations ---

void reluForward(float* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = values[i] < 0 ? 0 : values[i];  // NaN stays NaN
}

void reluBackward(const float* output, float* gradient, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) gradient[i] = output[i] > 0 ? gradient[i] : 0;
}

void leakyReluForward(float slope, float* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] *= values[i] > 0 ? 1 : slope;
}

void leakyReluBackward(float slope, const float* output, float* gradient, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) gradient[i] *= output[i] > 0 ? 1 : slope;
}

// x · sigmoid(x)
void siluForward(float* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] /= 1 + std::exp(-values[i]);
}

// With s = sigmoid(x), the derivative is s + x · s · (1 − s).
void siluBackward(const float* input, float* gradient, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const float x = input[i], s = 1 / (1 + std::exp(-x));
    gradient[i] *= s + x * s * (1 - s);
  }
}

void sigmoidForward(float* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = 1 / (1 + std::exp(-values[i]));
}

// --- Losses ---

double squaredErrorForward(const float* output, const float* target, std::size_t count) {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const float difference = output[i] - target[i];
    sum += static_cast<double>(difference * difference);
  }
  return sum;
}

void sigmoidMeanSquaredErrorBackward(const float* output, const float* target, std::size_t count, float* gradient) {
  const float scale = 2 / static_cast<float>(count);
  for (std::size_t i = 0; i < count; ++i) {
    gradient[i] = scale * (output[i] - target[i]) * output[i] * (1 - output[i]);
  }
}

namespace {

using Columns = std::vector<std::vector<double>>;  // a matrix by its columns

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

double subtractMean(std::vector<double>& values) {
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  for (double& value : values) value -= mean;
  return mean;
}

void rotate(std::vector<double>& a, std::vector<double>& b, double cosine, double sine) {
  for (std::size_t k = 0; k < a.size(); ++k) {
    const double x = a[k], y = b[k];
    a[k] = cosine * x - sine * y;
    b[k] = sine * x + cosine * y;
  }
}

// Rotates pairs of columns of z until all are orthogonal (one-sided Jacobi). Column i is then σᵢuᵢ. The same rotations
// turn the identity v into the matrix whose columns are vᵢ, so that Z = Σ σᵢ uᵢ vᵢᵀ.
void decompose(Columns& z, Columns& v) {
  constexpr int maximalSweeps = 40;
  bool rotated = true;
  for (int sweep = 0; rotated && sweep < maximalSweeps; ++sweep) {
    rotated = false;
    for (std::size_t i = 0; i < z.size(); ++i) {
      for (std::size_t j = i + 1; j < z.size(); ++j) {
        const double first = dot(z[i], z[i]), second = dot(z[j], z[j]), product = dot(z[i], z[j]);
        if (!(std::abs(product) > 1e-14 * std::sqrt(first * second))) continue;
        const double zeta = (second - first) / (2 * product);
        const double tangent = (zeta < 0 ? -1 : 1) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
        const double cosine = 1 / std::sqrt(1 + tangent * tangent);
        rotate(z[i], z[j], cosine, cosine * tangent);
        rotate(v[i], v[j], cosine, cosine * tangent);
        rotated = true;
      }
    }
  }
}

// The machine of formulas/execute.h, one thread with the C++ library.
struct ScalarMachine : PlainDeterminants<ScalarMachine> {
  static constexpr int lanes = 1;

  static int lane() { return 0; }
  static void sync() {}
  static double sum(double x) { return x; }
  static double largest(double x) { return x; }
  static double fma(double a, double b, double c) { return std::fma(a, b, c); }
  static double squareRoot(double x) { return std::sqrt(x); }
  static std::uint64_t bitsOf(double x) {
    std::uint64_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
  }
  static double doubleOf(std::uint64_t bits) {
    double x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
  }
  static bool stopped() { return false; }
};

// The scratch of a formula, by input.
class FormulaValues {
 public:
  explicit FormulaValues(const Tape& formula) : formula_(formula), scratch_(formula.scratchSize) {
    std::copy(formula.constants.begin(), formula.constants.end(), scratch_.begin());
  }

  void set(FormulaInput input, const std::vector<double>& values) {
    if (formula_.uses(input)) std::copy(values.begin(), values.end(), scratch_.begin() + formula_.input(input));
  }

  double evaluate() {
    executeFormula(ScalarMachine{}, formula_.code.data(), formula_.instructions(), scratch_.data());
    return scratch_[formula_.value];
  }

  // Returns an element of the derivatives with respect to an input, 0 if the formula does not depend on it.
  double derivative(FormulaInput input, std::size_t element) const {
    const int place = formula_.derivative(input);
    return place == Tape::nowhere ? 0 : scratch_[place + element];
  }

 private:
  const Tape& formula_;
  std::vector<double> scratch_;
};

// The singular values of Z, largest first, with their directions: column order[k] of su is σₖuₖ, that of v is vₖ.
struct Decomposition {
  std::vector<double> sigma;
  std::vector<int> order;
  Columns su, v;

  explicit Decomposition(const Columns& z) : order(z.size()), su(z), v(z.size(), std::vector<double>(z.size(), 0.0)) {
    for (std::size_t i = 0; i < v.size(); ++i) v[i][i] = 1;
    decompose(su, v);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int i, int j) { return dot(su[i], su[i]) > dot(su[j], su[j]); });
    for (const int i : order) sigma.push_back(std::sqrt(dot(su[i], su[i])));
  }
};

// ∂f/∂Z = Σ ∂f/∂σᵢ · uᵢ vᵢᵀ
void addSpectrumGradient(const FormulaValues& formula, const Decomposition& z, Columns& gradient) {
  for (std::size_t k = 0; k < z.sigma.size(); ++k) {
    if (z.sigma[k] < 0x1p-21 * z.sigma[0]) continue;  // rounding error of the embedding: uₖ is undefined
    const std::vector<double>&su = z.su[z.order[k]], &right = z.v[z.order[k]];
    const double slope = formula.derivative(FormulaInput::sigma, k);
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      for (std::size_t b = 0; b < su.size(); ++b) gradient[i][b] += slope * su[b] / z.sigma[k] * right[i];
    }
  }
}

// ∂f/∂Z = (1 · (∂f/∂m)ᵀ + 2 D · ∂f/∂C) / N for N images with the deviations D = Z − 1mᵀ, C = DᵀD / N and v = diag(C)
void addMomentGradient(const FormulaValues& formula, const Columns& deviations, Columns& gradient) {
  const int width = static_cast<int>(deviations.size()), images = static_cast<int>(deviations[0].size());
  for (int i = 0; i < width; ++i) {
    for (int b = 0; b < images; ++b) {
      double sum = formula.derivative(FormulaInput::mean, i);
      sum += 2 * deviations[i][b] * formula.derivative(FormulaInput::variance, i);
      for (int j = 0; j < width; ++j)
        sum += 2 * deviations[j][b] * formula.derivative(FormulaInput::covariance, area(j, width) + i);
      gradient[i][b] += sum / images;
    }
  }
}

}  // namespace

double eigenLossForwardBackward(const Tape& formula, bool center, double weight, const float* values, int batch,
                                int width, double* gradient) {
  Columns z(width, std::vector<double>(batch)), added(width, std::vector<double>(batch, 0.0));
  for (int i = 0; i < width; ++i) {
    for (int b = 0; b < batch; ++b) z[i][b] = values[area(b, width) + i];
  }
  Columns deviations = z;
  std::vector<double> means, variances, covariances;
  for (std::vector<double>& column : deviations) means.push_back(subtractMean(column));
  for (const auto& first : deviations) {
    variances.push_back(dot(first, first) / batch);
    for (const auto& second : deviations) covariances.push_back(dot(first, second) / batch);
  }
  FormulaValues f(formula);
  f.set(FormulaInput::images, {static_cast<double>(batch)});
  f.set(FormulaInput::mean, means);
  f.set(FormulaInput::variance, variances);
  f.set(FormulaInput::covariance, covariances);
  double value;
  if (formula.uses(FormulaInput::sigma)) {
    const Decomposition decomposition(center ? deviations : z);
    if (decomposition.sigma[0] == 0) return 0;  // the shares of a spectrum of zeros are undefined
    f.set(FormulaInput::sigma, decomposition.sigma);
    value = f.evaluate();
    addSpectrumGradient(f, decomposition, added);
    for (int i = 0; center && i < width; ++i) subtractMean(added[i]);
  } else {
    value = f.evaluate();
  }
  addMomentGradient(f, deviations, added);
  for (int i = 0; i < width; ++i) {
    for (int b = 0; b < batch; ++b) gradient[area(b, width) + i] += weight * added[i][b];
  }
  return value;
}

// --- Update: torch.optim.Adam, the second moment is bias-corrected before ε is added: √v / √(1 − β₂ᵗ) + ε ---

void adamStep(const AdamSpec& adam, double learningRate, std::int64_t step, const float* gradient, std::size_t count,
              float* parameters, float* firstMoments, float* secondMoments) {
  const double correction1 = 1 - std::pow(adam.beta1, static_cast<double>(step));
  const double correction2 = 1 - std::pow(adam.beta2, static_cast<double>(step));
  const float stepSize = static_cast<float>(learningRate / correction1);
  const float inverseRootCorrection2 = static_cast<float>(1 / std::sqrt(correction2));
  const float beta1 = static_cast<float>(adam.beta1), oneMinusBeta1 = static_cast<float>(1 - adam.beta1);
  const float beta2 = static_cast<float>(adam.beta2), oneMinusBeta2 = static_cast<float>(1 - adam.beta2);
  const float epsilon = static_cast<float>(adam.epsilon);

  for (std::size_t i = 0; i < count; ++i) {
    const float first = beta1 * firstMoments[i] + oneMinusBeta1 * gradient[i];
    const float second = beta2 * secondMoments[i] + oneMinusBeta2 * (gradient[i] * gradient[i]);
    firstMoments[i] = first;
    secondMoments[i] = second;
    parameters[i] -= stepSize * first / (std::sqrt(second) * inverseRootCorrection2 + epsilon);
  }
}

void decayWeights(const AdamSpec& adam, double learningRate, std::size_t count, float* weights) {
  const float kept = static_cast<float>(1 - learningRate * adam.weightDecay);
  for (std::size_t i = 0; i < count; ++i) weights[i] *= kept;
}

void sgdStep(const SgdSpec& sgd, double learningRate, const float* gradient, std::size_t count, float* parameters,
             float* buffers) {
  const float momentum = static_cast<float>(sgd.momentum), rate = static_cast<float>(learningRate);
  for (std::size_t i = 0; i < count; ++i) {
    buffers[i] = momentum * buffers[i] + gradient[i];
    parameters[i] -= rate * (sgd.nesterov ? gradient[i] + momentum * buffers[i] : buffers[i]);
  }
}

// As torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn.
void average(double decay, std::int64_t step, const float* values, std::size_t count, float* averages) {
  if (step == 1) {
    std::copy_n(values, count, averages);
    return;
  }
  const float share = static_cast<float>(1 - decay);
  for (std::size_t i = 0; i < count; ++i) averages[i] += share * (values[i] - averages[i]);
}

// --- Trainer ---

namespace {

// The values of one layer for one batch.
struct LayerValues {
  std::vector<float> linear;            // [batchSize][outputs] of the linear part
  std::vector<float> input;             // [batchSize][outputs] of the activation
  std::vector<float> output;            // [batchSize][outputs]
  std::vector<float> gradient;          // [batchSize][outputs] of the layer's output, later of its linear part's output
  std::vector<float> normalised;        // [batchSize][outputs] with batch norm
  std::vector<float> inverseDeviation;  // [outputs] with batch norm
  std::vector<double> eigenGradient;    // [batchSize][outputs] of the eigen losses
};

class ReferenceTrainer final : public Trainer {
 public:
  explicit ReferenceTrainer(const TrainerSpec& spec)
      : spec_(spec),
        layout_(makeLayout(spec)),
        clean_(area(spec.batchSize, layout_.inputs())),
        noisy_(clean_.size()),
        gradient_(layout_.parameterCount) {
    for (const Layer& layer : layout_.layers) {
      const std::size_t size = area(spec.batchSize, layer.outputs);
      values_.push_back({std::vector<float>(size), std::vector<float>(size), std::vector<float>(size),
                         std::vector<float>(size), std::vector<float>(size), std::vector<float>(layer.outputs),
                         std::vector<double>(size)});
    }
    state_.parameters.resize(layout_.parameterCount);
    state_.firstMoments.resize(layout_.parameterCount);
    state_.secondMoments.resize(layout_.parameterCount);
    state_.runningStatistics.resize(layout_.runningStatisticCount);
    if (!spec.averaging) return;
    state_.averagedParameters.resize(layout_.parameterCount);
    state_.averagedStatistics.resize(layout_.runningStatisticCount);
  }

  std::int64_t step() const override { return state_.step; }
  void setState(const State& state) override { state_ = state; }
  State getState() const override { return state_; }

  Losses trainEpoch(const Images& images, const std::uint32_t* order, std::size_t count, std::uint32_t epoch,
                    const StepValues& values) override {
    const Noise noise{.seed = spec_.seed, .purpose = purpose::trainingNoise, .epoch = epoch, .deviation = spec_.noise};
    const std::size_t batchSize = spec_.batchSize;
    Losses losses;
    losses.terms.resize(spec_.eigenLosses.size());
    for (std::size_t first = 0; first < count && !control.stopped(); first += batchSize) {
      const int batch = static_cast<int>(std::min(batchSize, count - first));
      for (int b = 0; b < batch; ++b) readImage(images, order[first + b], b, &noise);
      takeStep(clean_.data(), noisy_.data(), batch, values, first / batchSize, losses);
      control.publish({static_cast<std::uint32_t>(losses.images), static_cast<float>(losses.loss())});
    }
    return losses;
  }

  Losses trainBatch(const float* clean, const float* noisy, std::size_t count, const StepValues& values) override {
    Losses losses;
    losses.terms.resize(spec_.eigenLosses.size());
    takeStep(clean, noisy, static_cast<int>(count), values, 0, losses);
    return losses;
  }

  void encode(const Images& images, float* embedding) override {
    inferBatches(images, nullptr, [&](std::size_t first, int batch) {
      const int latent = layout_.latent();
      std::copy_n(values_[layout_.latentLayer].output.data(), area(batch, latent), embedding + first * latent);
    });
  }

  double inspect(const Images& images, std::size_t rows, bool withError, float* embedding,
                 float* linearOutputs) override {
    const float* parameters = evaluatedParameters();
    encode(images, embedding);
    inferBatches({images.bytes, images.floats, rows}, nullptr, [&](std::size_t first, int batch) {
      float* matrix = linearOutputs;
      for (std::size_t i = 0; i + 1 < layout_.layers.size(); ++i) {
        if (i == layout_.latentLayer) continue;
        const Layer& layer = layout_.layers[i];
        const int units = layer.outputs;
        const float* input = i == 0 ? noisy_.data() : values_[i - 1].output.data();
        linearForward(input, parameters + layer.weight, parameters + layer.bias, batch, layer.inputs, units,
                      matrix + first * units);
        matrix += rows * units;
      }
    });
    return withError ? meanSquaredError(images, nullptr) : std::numeric_limits<double>::quiet_NaN();
  }

  void reconstruct(const Images& images, float* output) override {
    inferBatches(images, nullptr, [&](std::size_t first, int batch) {
      const int inputs = layout_.inputs();
      std::copy_n(values_.back().output.data(), area(batch, inputs), output + first * inputs);
    });
  }

  double meanSquaredError(const Images& images, const Noise* noise) override {
    double sum = 0;
    inferBatches(images, noise, [&](std::size_t, int batch) {
      sum += squaredErrorForward(values_.back().output.data(), clean_.data(), area(batch, layout_.inputs()));
    });
    return sum / (static_cast<double>(images.count) * layout_.inputs());
  }

 private:
  // Takes one training step on clean and noisy [batch][inputs].
  void takeStep(const float* clean, const float* noisy, int batch, const StepValues& values, std::size_t index,
                Losses& losses) {
    forward(noisy, batch);
    const std::size_t pixels = area(batch, layout_.inputs());
    losses.squaredError += squaredErrorForward(values_.back().output.data(), clean, pixels) / layout_.inputs();
    losses.images += batch;
    evaluateEigenLosses(batch, values.weights + index * spec_.eigenLosses.size(), losses);
    backward(noisy, clean, batch);
    ++state_.step;
    update(values.learningRates[index]);
  }

  void update(double learningRate) {
    float* parameters = state_.parameters.data();
    const std::size_t count = layout_.parameterCount;
    if (const AdamSpec* adam = std::get_if<AdamSpec>(&spec_.optimizer)) {
      for (const Layer& layer : layout_.layers) {
        decayWeights(*adam, learningRate, area(layer.outputs, layer.inputs), parameters + layer.weight);
      }
      adamStep(*adam, learningRate, state_.step, gradient_.data(), count, parameters, state_.firstMoments.data(),
               state_.secondMoments.data());
    } else {
      sgdStep(std::get<SgdSpec>(spec_.optimizer), learningRate, gradient_.data(), count, parameters,
              state_.firstMoments.data());
    }
    if (!spec_.averaging) return;
    average(*spec_.averaging, state_.step, parameters, count, state_.averagedParameters.data());
    average(*spec_.averaging, state_.step, state_.runningStatistics.data(), layout_.runningStatisticCount,
            state_.averagedStatistics.data());
  }

  void forward(const float* input, int batch) {
    const float* parameters = state_.parameters.data();
    float* statistics = state_.runningStatistics.data();
    for (std::size_t i = 0; i < layout_.layers.size(); ++i) {
      const Layer& layer = layout_.layers[i];
      LayerValues& values = values_[i];
      linearForward(input, parameters + layer.weight, parameters + layer.bias, batch, layer.inputs, layer.outputs,
                    values.linear.data());
      values.output = values.linear;
      if (layer.batchNorm) {
        batchNormForward(values.output.data(), batch, layer.outputs, parameters + layer.gamma, parameters + layer.beta,
                         values.normalised.data(), values.inverseDeviation.data(), statistics + layer.runningMean,
                         statistics + layer.runningVariance);
      }
      values.input = values.output;
      activate(layer, batch, values.output.data());
      input = values.output.data();
    }
  }

  void activate(const Layer& layer, int batch, float* values) const {
    const std::size_t count = area(batch, layer.outputs);
    const auto [kind, slope] = layer.activation;
    if (kind == Activation::relu) reluForward(values, count);
    if (kind == Activation::leakyRelu) leakyReluForward(slope, values, count);
    if (kind == Activation::silu) siluForward(values, count);
    if (kind == Activation::sigmoid) sigmoidForward(values, count);
  }

  // gradient [batch][outputs] of a hidden layer's output becomes that of the activation's input.
  void activateBackward(const Layer& layer, int batch, const LayerValues& values, float* gradient) const {
    const std::size_t count = area(batch, layer.outputs);
    const auto [kind, slope] = layer.activation;
    if (kind == Activation::relu) reluBackward(values.output.data(), gradient, count);
    if (kind == Activation::leakyRelu) leakyReluBackward(slope, values.output.data(), gradient, count);
    if (kind == Activation::silu) siluBackward(values.input.data(), gradient, count);
  }

  // Sets the eigenGradient of every layer. A term is the mean over its layers.
  void evaluateEigenLosses(int batch, const double* weights, Losses& losses) {
    for (LayerValues& values : values_) std::fill(values.eigenGradient.begin(), values.eigenGradient.end(), 0.0);
    for (std::size_t i = 0; i < spec_.eigenLosses.size(); ++i) {
      const EigenLossSpec& eigenLoss = spec_.eigenLosses[i];
      if (weights[i] == 0 || batch < eigenLoss.minimumImages) continue;
      const double layers = static_cast<double>(eigenLoss.layers.size());
      double value = 0;
      for (std::size_t k = 0; k < eigenLoss.layers.size(); ++k) {
        const int index = eigenLoss.layers[k];
        LayerValues& layer = values_[index];
        const bool isLatent = static_cast<std::size_t>(index) == layout_.latentLayer;
        value += eigenLossForwardBackward(eigenLoss.formulas[k], eigenLoss.center, weights[i] / layers,
                                          (isLatent ? layer.output : layer.linear).data(), batch,
                                          layout_.layers[index].outputs, layer.eigenGradient.data());
      }
      value /= layers;
      losses.terms[i].value += value * batch;
      losses.terms[i].weighted += weights[i] * value * batch;
      losses.terms[i].images += batch;
    }
  }

  // Writes every element of gradient_.
  void backward(const float* input, const float* target, int batch) {
    const float* parameters = state_.parameters.data();
    float* gradients = gradient_.data();
    sigmoidMeanSquaredErrorBackward(values_.back().output.data(), target, area(batch, layout_.inputs()),
                                    values_.back().gradient.data());
    for (std::size_t i = layout_.layers.size(); i-- > 0;) {
      const Layer& layer = layout_.layers[i];
      float* gradient = values_[i].gradient.data();  // [batch][outputs]
      if (i == layout_.latentLayer) addEigenGradient(i, batch);
      activateBackward(layer, batch, values_[i], gradient);
      if (layer.batchNorm) {
        backwardBatchNorm(i, batch);
      } else {
        linearBackwardBias(gradient, batch, layer.outputs, gradients + layer.bias);
        if (layout_.meanIsRemoved(i)) sumLatentShiftGradient(batch, gradients + layer.bias);
      }
      if (i != layout_.latentLayer) addHiddenEigenGradient(i, batch);
      const float* layerInput = i == 0 ? input : values_[i - 1].output.data();
      linearBackwardWeight(gradient, layerInput, batch, layer.inputs, layer.outputs, gradients + layer.weight);
      if (i == 0) break;
      linearBackwardInput(gradient, parameters + layer.weight, batch, layer.inputs, layer.outputs,
                          values_[i - 1].gradient.data());
    }
  }

  void addEigenGradient(std::size_t index, int batch) {
    LayerValues& values = values_[index];
    const std::size_t count = area(batch, layout_.layers[index].outputs);
    for (std::size_t j = 0; j < count; ++j) values.gradient[j] += static_cast<float>(values.eigenGradient[j]);
  }

  // The eigen losses of a hidden layer see its linear output and so reach its bias. In exact arithmetic their part of
  // the bias' gradient is often 0, because many do not depend on the mean. It is summed apart, in double: in a sum of
  // both parts its rounding errors would be larger than the other part of some biases, and Adam scales even the
  // smallest gradient to a full step.
  void addHiddenEigenGradient(std::size_t index, int batch) {
    addEigenGradient(index, batch);
    std::vector<float> sums(layout_.layers[index].outputs);
    sumEigenGradient(index, batch, sums.data());
    for (std::size_t i = 0; i < sums.size(); ++i) gradient_[layout_.layers[index].bias + i] += sums[i];
  }

  // In exact arithmetic the mean squared error contributes 0 to two gradients around batch norm. If they were computed
  // as sums, rounding errors would remain.
  void backwardBatchNorm(std::size_t index, int batch) {
    const Layer& layer = layout_.layers[index];
    LayerValues& values = values_[index];
    batchNormBackward(values.gradient.data(), batch, layer.outputs, state_.parameters.data() + layer.gamma,
                      values.normalised.data(), values.inverseDeviation.data(), &gradient_[layer.gamma],
                      &gradient_[layer.beta]);

    // The first is that of the bias: subtracting the batch's mean cancels the bias.
    std::fill_n(&gradient_[layer.bias], layer.outputs, 0.0f);

    if (layout_.meanIsRemoved(index)) sumLatentShiftGradient(batch, &gradient_[layer.beta]);
  }

  // The second is that of the latent layer's beta, or of its bias without batch norm: no activation follows, so the
  // next layer's mean removes it. Only the eigen losses on the embedding and on the next layer's linear output
  // contribute to it.
  void sumLatentShiftGradient(int batch, float* sums) const {
    const std::size_t index = layout_.latentLayer;
    const Layer& next = layout_.layers[index + 1];
    std::vector<float> nextSums(next.outputs), reached(next.inputs);
    sumEigenGradient(index, batch, sums);
    sumEigenGradient(index + 1, batch, nextSums.data());
    linearBackwardInput(nextSums.data(), &state_.parameters[next.weight], 1, next.inputs, next.outputs, reached.data());
    for (int i = 0; i < next.inputs; ++i) sums[i] += reached[i];
  }

  void sumEigenGradient(std::size_t index, int batch, float* sums) const {
    const int outputs = layout_.layers[index].outputs;
    for (int i = 0; i < outputs; ++i) {
      double sum = 0;
      for (int b = 0; b < batch; ++b) sum += values_[index].eigenGradient[area(b, outputs) + i];
      sums[i] = static_cast<float>(sum);
    }
  }

  // Reads an image into row b of clean_ and, with noise, of noisy_.
  void readImage(const Images& images, std::size_t image, int b, const Noise* noise) {
    const int inputs = layout_.inputs();
    float *clean = &clean_[area(b, inputs)], *noisy = &noisy_[area(b, inputs)];
    for (int i = 0; i < inputs; ++i) {
      const std::size_t at = image * inputs + i;
      clean[i] = images.floats != nullptr ? images.floats[at] : static_cast<float>(images.bytes[at]) / 255.0f;
    }
    std::copy_n(clean, inputs, noisy);
    if (noise != nullptr) addNoise(*noise, static_cast<std::uint32_t>(image), inputs, noisy);
  }

  // Runs all layers in inference mode, batch by batch, and calls visit(first image, number of images).
  template <typename Visit>
  void inferBatches(const Images& images, const Noise* noise, Visit visit) {
    const std::size_t batchSize = spec_.batchSize;
    for (std::size_t first = 0; first < images.count; first += batchSize) {
      const int batch = static_cast<int>(std::min(batchSize, images.count - first));
      for (int b = 0; b < batch; ++b) readImage(images, first + b, b, noise);
      infer(noisy_.data(), batch);
      visit(first, batch);
    }
  }

  const float* evaluatedParameters() const {
    return (spec_.averaging ? state_.averagedParameters : state_.parameters).data();
  }

  void infer(const float* input, int batch) {
    const float* parameters = evaluatedParameters();
    const float* statistics = (spec_.averaging ? state_.averagedStatistics : state_.runningStatistics).data();
    for (std::size_t i = 0; i < layout_.layers.size(); ++i) {
      const Layer& layer = layout_.layers[i];
      float* output = values_[i].output.data();
      linearForward(input, parameters + layer.weight, parameters + layer.bias, batch, layer.inputs, layer.outputs,
                    output);
      if (layer.batchNorm) {
        batchNormInference(output, batch, layer.outputs, parameters + layer.gamma, parameters + layer.beta,
                           statistics + layer.runningMean, statistics + layer.runningVariance);
      }
      activate(layer, batch, output);
      input = output;
    }
  }

  const TrainerSpec spec_;
  const Layout layout_;
  State state_;
  std::vector<LayerValues> values_;   // for each layer
  std::vector<float> clean_, noisy_;  // [batchSize][inputs]
  std::vector<float> gradient_;       // in the layout of the parameters
};

}  // namespace

std::unique_ptr<Trainer> createReferenceTrainer(const TrainerSpec& spec) {
  return std::make_unique<ReferenceTrainer>(spec);
}

}  // namespace eigenae
