#include "model.h"

#include <algorithm>

#include "../../core/layout.h"
#include "../../core/optimizer_step.h"
#include "../../core/random.h"
#include "plan.h"

namespace eigenae::cuda {

namespace {

// Images of a launch of `infer`, a multiple of inferenceImages, which bounds the memory of its outputs.
constexpr std::size_t imagesAtOnce = std::size_t{512} * inferenceImages;

StepFactors factorsOf(const OptimizerStep& step) {
  return {.oneMinusBeta1 = step.oneMinusBeta1,
          .oneMinusBeta2 = step.oneMinusBeta2,
          .stepSize = step.stepSize,
          .epsilon = step.epsilon,
          .keptShare = step.keptShare,
          .momentum = step.momentum,
          .gradientShare = step.gradientShare,
          .bufferShare = step.bufferShare,
          .averageShare = step.averageShare};
}

template <typename T>
std::size_t bytesOf(const std::vector<T>& values) {
  return values.size() * sizeof(T);
}

// Copies values to memory that grows if it is too small.
template <typename T>
void uploadGrowing(const std::shared_ptr<Card>& card, DeviceStream& stream, DeviceMemory& memory,
                   const std::vector<T>& values) {
  if (memory.bytes() < bytesOf(values)) memory = DeviceMemory(card, bytesOf(values));
  stream.upload(memory, values.data(), bytesOf(values));
}

}  // namespace

Model::Model(std::shared_ptr<const Kernel> kernel, const TrainerSpec& spec)
    : kernel_(std::move(kernel)),
      spec_(spec),
      inputs_(static_cast<std::size_t>(spec.widths.front())),
      parameterCount_(makeLayout(spec).parameterCount),
      statisticCount_(makeLayout(spec).runningStatisticCount),
      stream_(kernel_->card()) {
  const std::shared_ptr<Card>& card = kernel_->card();
  const std::size_t parameters = parameterCount_ * sizeof(float), statistics = statisticCount_ * sizeof(float);
  parameters_ = DeviceMemory(card, parameters);
  firstMoments_ = DeviceMemory(card, parameters);
  secondMoments_ = DeviceMemory(card, parameters);
  statistics_ = DeviceMemory(card, statistics);
  if (spec.averaging) {
    averages_ = DeviceMemory(card, parameters);
    averagedStatistics_ = DeviceMemory(card, statistics);
  }
  exchange_ = DeviceMemory(card, static_cast<std::size_t>(exchangeBytes(kernel_->shape())));
  inference_ = DeviceMemory(card, sizeof(Inference));

  training_.parameters = parameters_.as<float>();
  training_.firstMoments = firstMoments_.as<float>();
  training_.secondMoments = secondMoments_.as<float>();
  training_.averages = averages_.as<float>();
  training_.runningStatistics = statistics_.as<float>();
  training_.averagedStatistics = averagedStatistics_.as<float>();
  training_.exchange = exchange_.as<float>();
  training_.optimizer = optimizerOf(spec) == Optimizer::sgd ? sgd : adam;
  training_.slope = spec.activation.slope;
  training_.seed = spec.seed;
  training_.purpose = purpose::trainingNoise;
  const std::vector<Term> terms = termsOf(spec);
  training_.termCount = static_cast<int>(terms.size());
  std::copy(terms.begin(), terms.end(), training_.terms);
}

void Model::setState(const State& state) {
  const Card::Work work(*kernel_->card());
  step_ = state.step;
  stream_.upload(parameters_, state.parameters.data(), bytesOf(state.parameters));
  stream_.upload(firstMoments_, state.firstMoments.data(), bytesOf(state.firstMoments));
  stream_.upload(secondMoments_, state.secondMoments.data(), bytesOf(state.secondMoments));
  stream_.upload(statistics_, state.runningStatistics.data(), bytesOf(state.runningStatistics));
  stream_.upload(averages_, state.averagedParameters.data(), bytesOf(state.averagedParameters));
  stream_.upload(averagedStatistics_, state.averagedStatistics.data(), bytesOf(state.averagedStatistics));
  stream_.wait();
}

State Model::getState() {
  const Card::Work work(*kernel_->card());
  State state;
  state.step = step_;
  const auto download = [&](std::vector<float>& values, const DeviceMemory& memory) {
    values.resize(memory.bytes() / sizeof(float));
    stream_.download(values.data(), memory, memory.bytes());
  };
  download(state.parameters, parameters_);
  download(state.firstMoments, firstMoments_);
  download(state.secondMoments, secondMoments_);
  download(state.runningStatistics, statistics_);
  download(state.averagedParameters, averages_);
  download(state.averagedStatistics, averagedStatistics_);
  return state;
}

void Model::beginEpoch(std::shared_ptr<const DeviceImages> images, const std::vector<std::uint32_t>& order,
                       std::uint32_t epoch, const StepValues& values) {
  const Card::Work work(*kernel_->card());
  images_ = std::move(images);
  uploadGrowing(kernel_->card(), stream_, order_, order);
  training_.images = images_->bytes();
  training_.order = order_.as<const unsigned>();
  training_.clean = training_.noisy = nullptr;
  training_.noise = spec_.noise;
  training_.epoch = epoch;
  const std::size_t batch = static_cast<std::size_t>(spec_.batchSize);
  begin(static_cast<int>(order.size()), static_cast<int>((order.size() + batch - 1) / batch), values);
}

void Model::beginBatch(const std::vector<float>& clean, const std::vector<float>& noisy, const StepValues& values) {
  const Card::Work work(*kernel_->card());
  images_.reset();
  uploadGrowing(kernel_->card(), stream_, clean_, clean);
  uploadGrowing(kernel_->card(), stream_, noisy_, noisy);
  training_.images = nullptr;
  training_.order = nullptr;
  training_.clean = clean_.as<const float>();
  training_.noisy = noisy_.as<const float>();
  begin(static_cast<int>(clean.size() / inputs_), 1, values);
}

void Model::begin(int imageCount, int steps, const StepValues& values) {
  std::vector<StepFactors> factors;
  for (int i = 0; i < steps; ++i) {
    factors.push_back(factorsOf(stepFactors(spec_, step_ + i + 1, values.learningRates[i])));
  }
  weightValues_.assign(values.weights, values.weights + static_cast<std::size_t>(steps) * termCount());
  uploadGrowing(kernel_->card(), stream_, factors_, factors);
  uploadGrowing(kernel_->card(), stream_, weights_, weightValues_);
  stream_.wait();
  training_.factors = factors_.as<const StepFactors>();
  training_.weights = weights_.as<const double>();
  training_.imageCount = imageCount;
  steps_ = steps;
  done_ = 0;
  losses_ = Losses{};
  losses_.terms.resize(termCount());
}

Training Model::nextTraining(int steps) const {
  Training training = training_;
  training.firstImage = done_ * spec_.batchSize;
  training.factors += done_;
  if (training.weights != nullptr) training.weights += static_cast<std::size_t>(done_) * termCount();
  training.steps = steps;
  return training;
}

void Model::prepareFirstStep(DeviceStream& stream) {
  if (step_ > 0) return;
  stream.clear(averages_, averages_.bytes());
  stream.clear(averagedStatistics_, averagedStatistics_.bytes());
}

void Model::finishSteps(int steps, const double* batchLosses) {
  for (int i = 0; i < steps; ++i, ++done_, ++step_) {
    const int images = std::min(spec_.batchSize, training_.imageCount - done_ * spec_.batchSize);
    losses_.squaredError += *batchLosses++ * images;
    losses_.images += images;
    for (std::size_t t = 0; t < termCount(); ++t) {
      const double value = *batchLosses++, weight = weightValues_[static_cast<std::size_t>(done_) * termCount() + t];
      if (weight == 0 || images < spec_.eigenLosses[t].minimumImages) continue;
      TermLosses& sums = losses_.terms[t];
      sums.value += value * images;
      sums.weighted += weight * value * images;
      sums.images += images;
    }
  }
}

Inference Model::inferenceOf(const DeviceImages& images, InferenceMode mode) const {
  Inference call{};
  call.parameters = (spec_.averaging ? averages_ : parameters_).as<const float>();
  call.runningStatistics = (spec_.averaging ? averagedStatistics_ : statistics_).as<const float>();
  call.bytes = images.bytes();
  call.floats = images.floats();
  call.mode = mode;
  call.slope = spec_.activation.slope;
  return call;
}

// Runs the call for the images from `first` on. The call's outputs are those of these images alone.
void Model::runInference(Inference call, std::size_t first, int count) {
  if (call.bytes != nullptr) call.bytes += first * inputs_;
  if (call.floats != nullptr) call.floats += first * inputs_;
  call.firstImage = static_cast<int>(first);
  call.count = count;
  stream_.upload(inference_, &call, sizeof(call));
  kernel_->launchInference(inference_, count, stream_);
  stream_.wait();
}

void Model::infer(const DeviceImages& images, InferenceMode mode, std::size_t width, float* outputs) {
  const Card::Work work(*kernel_->card());
  const std::size_t total = images.count(inputs_), most = std::min(total, imagesAtOnce);
  const DeviceMemory memory(kernel_->card(), most * width * sizeof(float));
  Inference call = inferenceOf(images, mode);
  call.outputs = memory.as<float>();
  for (std::size_t first = 0; first < total; first += most) {
    const std::size_t count = std::min(most, total - first);
    runInference(call, first, static_cast<int>(count));
    stream_.download(outputs + first * width, memory, count * width * sizeof(float));
  }
}

void Model::encode(const DeviceImages& images, float* embedding) {
  infer(images, embeddings, static_cast<std::size_t>(spec_.widths.back()), embedding);
}

void Model::linearOutputs(const DeviceImages& images, float* outputs) {
  const std::size_t hidden = static_cast<std::size_t>(makeLayout(spec_).hiddenUnits());
  infer(images, InferenceMode::linearOutputs, hidden, outputs);
}

void Model::reconstruct(const DeviceImages& images, float* output) {
  infer(images, reconstructions, inputs_, output);
}

double Model::meanSquaredError(const DeviceImages& images, const Noise* noise) {
  const Card::Work work(*kernel_->card());
  const std::size_t total = images.count(inputs_), most = std::min(total, imagesAtOnce);
  std::vector<double> tiles((most + inferenceImages - 1) / inferenceImages);
  const DeviceMemory memory(kernel_->card(), bytesOf(tiles));
  Inference call = inferenceOf(images, squaredErrors);
  call.sums = memory.as<double>();
  if (noise != nullptr) {
    call.noise = noise->deviation;
    call.seed = noise->seed;
    call.purpose = noise->purpose;
    call.epoch = noise->epoch;
  }
  double sum = 0;
  for (std::size_t first = 0; first < total; first += most) {
    const std::size_t count = std::min(most, total - first);
    runInference(call, first, static_cast<int>(count));
    tiles.resize((count + inferenceImages - 1) / inferenceImages);
    stream_.download(tiles.data(), memory, bytesOf(tiles));
    for (const double tile : tiles) sum += tile;
  }
  return sum / (static_cast<double>(total) * static_cast<double>(inputs_));
}

}  // namespace eigenae::cuda
