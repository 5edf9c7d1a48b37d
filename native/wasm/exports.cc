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

void write(const Losses& losses, double* numbers) {
  numbers[0] = losses.loss();
  numbers[1] = losses.squaredError;
  numbers[2] = losses.eigenLoss;
  numbers[3] = static_cast<double>(losses.images);
  numbers[4] = static_cast<double>(losses.eigenLossImages);
}

// Visits the four arrays of a state in the order in which they are passed.
template <typename StateOrConst, typename Visit>
void forEachArray(StateOrConst& state, Visit visit) {
  for (auto* array : {&state.parameters, &state.firstMoments, &state.secondMoments}) {
    visit(*array, trainer->parameterCount());
  }
  visit(state.runningStatistics, trainer->runningStatisticCount());
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

EXPORT(addEigenLoss)
void addEigenLoss(const char* kind, double weight, bool center) {
  spec().eigenLosses.push_back({kind, weight, center, {}});
}

EXPORT(addEigenLossParameter)
void addEigenLossParameter(const char* name, double value) { spec().eigenLosses.back().parameters[name] = value; }

EXPORT(createTrainer)
void createTrainer(int batchNorm, double learningRate, double beta1, double beta2, double epsilon, int batchSize,
                   std::uint32_t seed, float noise, int threads) {
  TrainerSpec& all = spec();
  all.batchNorm = static_cast<BatchNorm>(batchNorm);
  all.adam = {.learningRate = learningRate, .beta1 = beta1, .beta2 = beta2, .epsilon = epsilon};
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

// Writes the four arrays to `numbers` and returns the step.
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

// losses [5], in the order of `write`
EXPORT(trainEpoch)
void trainEpoch(const std::uint8_t* bytes, std::size_t imageCount, const std::uint32_t* order, std::size_t count,
                std::uint32_t epoch, double* losses) {
  write(trainer->trainEpoch(imagesAt(bytes, false, imageCount), order, count, epoch), losses);
}

EXPORT(trainBatch)
void trainBatch(const float* clean, const float* noisy, std::size_t count, double* losses) {
  write(trainer->trainBatch(clean, noisy, count), losses);
}

EXPORT(encode)
void encode(const void* pixels, bool floats, std::size_t count, float* embedding) {
  trainer->encode(imagesAt(pixels, floats, count), embedding);
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
