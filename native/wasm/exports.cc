// The module's face to JavaScript: src/engines/wasm/instance.ts has its types. A memory holds one trainer. Numbers and
// addresses are trusted: src/engines/wasm/trainer.ts checks what its callers give it.
#include <cstdlib>
#include <cstring>

#include "../core/vector_trainer.h"

extern "C" void __wasm_call_ctors();  // the linker's; named here, it is not put before every export

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

// The four arrays of a state, one behind the other.
template <typename StateOrConst, typename Visit>
void forEachArray(StateOrConst& state, Visit visit) {
  for (auto* array : {&state.parameters, &state.firstMoments, &state.secondMoments}) {
    visit(*array, trainer->parameterCount());
  }
  visit(state.runningStatistics, trainer->runningStatisticCount());
}

}  // namespace

// Before all else, once a memory.
EXPORT(initialize) void initialize() { __wasm_call_ctors(); }

// null where there is no more memory
EXPORT(allocate) void* allocate(std::size_t bytes) { return std::aligned_alloc(64, (bytes + 64) / 64 * 64); }
EXPORT(release) void release(void* memory) { std::free(memory); }

// The spec's lists come before createTrainer, in their order.
EXPORT(addWidth) void addWidth(int width) { spec().widths.push_back(width); }

EXPORT(addEigenLoss) void addEigenLoss(const char* kind, double weight, bool center) {
  spec().eigenLosses.push_back({kind, weight, center, {}});
}

EXPORT(addEigenLossParameter) void addEigenLossParameter(const char* name, double value) {
  spec().eigenLosses.back().parameters[name] = value;
}

EXPORT(createTrainer)
void createTrainer(int batchNorm, double learningRate, double beta1, double beta2, double epsilon, int batchSize,
                   std::uint32_t seed, float noise, int threads) {
  TrainerSpec& all = spec();
  all.batchNorm = static_cast<BatchNorm>(batchNorm);
  all.adam = {learningRate, beta1, beta2, epsilon};
  all.batchSize = batchSize;
  all.seed = seed;
  all.noise = noise;
  all.threads = threads;
  trainer = createVectorTrainer(all, baselineKernels).release();
}

EXPORT(parameterCount) std::size_t parameterCount() { return trainer->parameterCount(); }
EXPORT(runningStatisticCount) std::size_t runningStatisticCount() { return trainer->runningStatisticCount(); }

EXPORT(setState) void setState(double step, const float* numbers) {
  State state;
  state.step = static_cast<std::int64_t>(step);
  forEachArray(state, [&](std::vector<float>& array, std::size_t count) {
    array.assign(numbers, numbers + count);
    numbers += count;
  });
  trainer->setState(state);
}

// Returns the step.
EXPORT(getState) double getState(float* numbers) {
  const State state = trainer->getState();
  forEachArray(state, [&](const std::vector<float>& array, std::size_t) {
    for (const float number : array) *numbers++ = number;
  });
  return static_cast<double>(state.step);
}

// While a call runs, another thread may call these.
EXPORT(beginCall) void beginCall() { trainer->control.begin(); }
EXPORT(stopCall) void stopCall() { trainer->control.stop(); }

// Progress: the images in the lower half, the bits of their losses' sum in the upper one.
EXPORT(progress) std::uint64_t progress() {
  const Progress progress = trainer->control.progress();
  std::uint64_t bits;
  static_assert(sizeof(bits) == sizeof(progress));
  std::memcpy(&bits, &progress, sizeof(bits));
  return bits;
}

// losses: [5], as `write` has them
EXPORT(trainEpoch)
void trainEpoch(const std::uint8_t* bytes, std::size_t imageCount, const std::uint32_t* order, std::size_t count,
                std::uint32_t epoch, double* losses) {
  write(trainer->trainEpoch(imagesAt(bytes, false, imageCount), order, count, epoch), losses);
}

EXPORT(trainBatch)
void trainBatch(const float* clean, const float* noisy, std::size_t count, double* losses) {
  write(trainer->trainBatch(clean, noisy, count), losses);
}

EXPORT(encode) void encode(const void* pixels, bool floats, std::size_t count, float* embedding) {
  trainer->encode(imagesAt(pixels, floats, count), embedding);
}

EXPORT(reconstruct) void reconstruct(const void* pixels, bool floats, std::size_t count, float* output) {
  trainer->reconstruct(imagesAt(pixels, floats, count), output);
}

EXPORT(meanSquaredError)
double meanSquaredError(const void* pixels, bool floats, std::size_t count, std::uint32_t seed, std::uint32_t purpose,
                        std::uint32_t epoch, float deviation) {
  const Noise noise{seed, purpose, epoch, deviation};
  return trainer->meanSquaredError(imagesAt(pixels, floats, count), deviation == 0 ? nullptr : &noise);
}

}  // namespace eigenae
