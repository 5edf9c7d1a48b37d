// The functions that the module exports to JavaScript; src/engines/wasm/instance.ts declares them. A memory holds one
// trainer. Arguments are trusted, because src/engines/wasm/trainer.ts has checked them.
#include <cstdlib>
#include <cstring>

#include "../core/vector_trainer.h"

extern "C" void
__wasm_call_ctors();  // defined by the linker, which would call it before every export if it were not called here

#define EXPORT(name) extern "C" __attribute__((export_name(#name)))

namespace eigenae {

extern const Kernels baselineKernels;

namespace {

TrainerSpec& spec() {
  static TrainerSpec& spec = *new TrainerSpec;
  return spec;
}

Trainer* trainer = nullptr;

Images imagesAt(const void* pixels, bool floats, std::size_t count) {
  Images images;
  images.count = count;
  if (floats) {
    images.floats = static_cast<const float*>(pixels);
  } else {
    images.bytes = static_cast<const std::uint8_t*>(pixels);
  }
  return images;
}

// Writes the loss, the squared error, the number of images, and for each eigen loss its value, its weighted value and
// its number of images.
void write(const Losses& losses, double* numbers) {
  *numbers++ = losses.loss();
  *numbers++ = losses.squaredError;
  *numbers++ = static_cast<double>(losses.images);
  for (const TermLosses& term : losses.terms) {
    *numbers++ = term.value;
    *numbers++ = term.weighted;
    *numbers++ = static_cast<double>(term.images);
  }
}

// Visits the arrays of a state in the order in which they are passed.
template <typename StateOrConst, typename Visit>
void forEachArray(StateOrConst& state, Visit visit) {
  const std::size_t parameters = trainer->parameterCount(), statistics = trainer->runningStatisticCount();
  for (auto* array : {&state.parameters, &state.firstMoments, &state.secondMoments}) visit(*array, parameters);
  visit(state.runningStatistics, statistics);
  if (!spec().averaging) return;
  visit(state.averagedParameters, parameters);
  visit(state.averagedStatistics, statistics);
}

}  // namespace

// Must be called first, once for each memory.
EXPORT(initialize)
void initialize() { __wasm_call_ctors(); }

// Returns a multiple of 64, or null if there is not enough memory.
EXPORT(allocate)
void* allocate(std::size_t bytes) { return std::aligned_alloc(64, (bytes + 64) / 64 * 64); }
EXPORT(release)
void release(void* memory) { std::free(memory); }

// The lists of the spec are passed one element at a time, before createTrainer.
EXPORT(addWidth)
void addWidth(int width) { spec().widths.push_back(width); }

// For each layer but the output.
EXPORT(addBatchNorm)
void addBatchNorm(bool has) { spec().batchNorm.push_back(has); }

EXPORT(addEigenLoss)
void addEigenLoss(bool center, int minimumImages) { spec().eigenLosses.push_back({center, {}, {}, minimumImages}); }

// Adds a layer to the eigen loss that was added last, with the formula for its width.
EXPORT(addEigenLossLayer)
void addEigenLossLayer(int position, int width, const std::uint32_t* words, std::size_t wordCount,
                       const double* constants, std::size_t constantCount) {
  EigenLossSpec& eigenLoss = spec().eigenLosses.back();
  eigenLoss.layers.push_back(position);
  eigenLoss.formulas.push_back(decodeTape(words, wordCount, constants, constantCount, width));
}

EXPORT(setActivation)
void setActivation(int activation, float slope) { spec().activation = {static_cast<Activation>(activation), slope}; }

EXPORT(setAdam)
void setAdam(double beta1, double beta2, double epsilon, double weightDecay) {
  spec().optimizer = AdamSpec{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .weightDecay = weightDecay};
}
EXPORT(setSgd)
void setSgd(double momentum, bool nesterov) { spec().optimizer = SgdSpec{.momentum = momentum, .nesterov = nesterov}; }

EXPORT(setAveraging)
void setAveraging(double decay) { spec().averaging = decay; }

EXPORT(createTrainer)
void createTrainer(int batchSize, std::uint32_t seed, float noise, int threads) {
  TrainerSpec& all = spec();
  all.batchSize = batchSize;
  all.seed = seed;
  all.noise = noise;
  all.threads = threads;
  trainer = createVectorTrainer(all, baselineKernels).release();
}

EXPORT(parameterCount)
std::size_t parameterCount() { return trainer->parameterCount(); }
EXPORT(runningStatisticCount)
std::size_t runningStatisticCount() { return trainer->runningStatisticCount(); }
EXPORT(step)
double step() { return static_cast<double>(trainer->step()); }

EXPORT(setState)
void setState(double step, const float* numbers) {
  State state;
  state.step = static_cast<std::int64_t>(step);
  forEachArray(state, [&](std::vector<float>& array, std::size_t count) {
    array.assign(numbers, numbers + count);
    numbers += count;
  });
  trainer->setState(state);
}

// Writes the arrays to `numbers` and returns the step.
EXPORT(getState)
double getState(float* numbers) {
  const State state = trainer->getState();
  forEachArray(state, [&](const std::vector<float>& array, std::size_t) {
    for (const float number : array) *numbers++ = number;
  });
  return static_cast<double>(state.step);
}

// beginCall precedes a call of the functions below. While it runs, another thread may call stopCall and progress.
EXPORT(beginCall)
void beginCall() { trainer->control.begin(); }
EXPORT(stopCall)
void stopCall() { trainer->control.stop(); }

// Returns the number of images in the lower half and the bits of the sum of their losses, a float, in the upper half.
EXPORT(progress)
std::uint64_t progress() {
  const Progress progress = trainer->control.progress();
  std::uint64_t bits;
  static_assert(sizeof(bits) == sizeof(progress));
  std::memcpy(&bits, &progress, sizeof(bits));
  return bits;
}

// losses [3 + 3 · eigen losses], in the order of `write`
EXPORT(trainEpoch)
void trainEpoch(const std::uint8_t* bytes, std::size_t imageCount, const std::uint32_t* order, std::size_t count,
                std::uint32_t epoch, const double* learningRates, const double* weights, double* losses) {
  write(trainer->trainEpoch(imagesAt(bytes, false, imageCount), order, count, epoch, {learningRates, weights}), losses);
}

EXPORT(trainBatch)
void trainBatch(const float* clean, const float* noisy, std::size_t count, const double* learningRates,
                const double* weights, double* losses) {
  write(trainer->trainBatch(clean, noisy, count, {learningRates, weights}), losses);
}

EXPORT(encode)
void encode(const void* pixels, bool floats, std::size_t count, float* embedding) {
  trainer->encode(imagesAt(pixels, floats, count), embedding);
}

EXPORT(linearOutputs)
void linearOutputs(const void* pixels, bool floats, std::size_t count, float* outputs) {
  trainer->linearOutputs(imagesAt(pixels, floats, count), outputs);
}

EXPORT(reconstruct)
void reconstruct(const void* pixels, bool floats, std::size_t count, float* output) {
  trainer->reconstruct(imagesAt(pixels, floats, count), output);
}

EXPORT(meanSquaredError)
double meanSquaredError(const void* pixels, bool floats, std::size_t count, std::uint32_t seed, std::uint32_t purpose,
                        std::uint32_t epoch, float deviation) {
  const Noise noise{.seed = seed, .purpose = purpose, .epoch = epoch, .deviation = deviation};
  return trainer->meanSquaredError(imagesAt(pixels, floats, count), deviation == 0 ? nullptr : &noise);
}

}  // namespace eigenae
