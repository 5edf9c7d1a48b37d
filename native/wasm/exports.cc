// The functions that the module exports to JavaScript; src/engines/wasm/core.ts declares them. A memory holds one
// trainer, or none and measures. Arguments are trusted.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "../core/codec.h"
#include "../core/layer_measures.h"
#include "../core/linear_probe.h"
#include "../core/neighbours.h"
#include "../core/random.h"
#include "../core/singular_values.h"
#include "../core/vector_trainer.h"

extern "C" void
__wasm_call_ctors();  // defined by the linker, which would call it before every export if it were not called here

#define EXPORT(name) extern "C" __attribute__((export_name(#name)))

namespace eigenae {

extern const Kernels baselineKernels;

namespace {

Trainer* trainer = nullptr;
Layout layout;
std::atomic<std::int32_t> measuringStopped{0};

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

void write(const std::vector<double>& values, double* numbers) { std::copy(values.begin(), values.end(), numbers); }

}  // namespace

// Must be called first, once for each memory.
EXPORT(initialize)
void initialize() { __wasm_call_ctors(); }

// Returns a multiple of 64, or null if there is not enough memory.
EXPORT(allocate)
void* allocate(std::size_t bytes) { return std::aligned_alloc(64, (bytes + 64) / 64 * 64); }
EXPORT(release)
void release(void* memory) { std::free(memory); }

EXPORT(createTrainer)
void createTrainer(const double* numbers, std::size_t count) {
  const TrainerSpec spec = decodeSpec(numbers, count);
  trainer = createVectorTrainer(spec, baselineKernels).release();
  layout = makeLayout(spec);
}

EXPORT(step)
double step() { return static_cast<double>(trainer->step()); }

EXPORT(setState)
void setState(double step, const float* numbers) { trainer->setState(decodeState(layout, step, numbers)); }

EXPORT(getState)
void getState(float* numbers) { encodeState(trainer->getState(), layout, numbers); }

// beginCall precedes a call of the functions below. While it runs, another thread may call stopCall and progress.
EXPORT(beginCall)
void beginCall() {
  measuringStopped = 0;
  if (trainer != nullptr) trainer->control.begin();
}
EXPORT(stopCall)
void stopCall() {
  measuringStopped = 1;
  if (trainer != nullptr) trainer->control.stop();
}

// Returns the number of images in the lower half and the bits of the sum of their losses, a float, in the upper half.
EXPORT(progress)
std::uint64_t progress() {
  const Progress progress = trainer->control.progress();
  std::uint64_t bits;
  static_assert(sizeof(bits) == sizeof(progress));
  std::memcpy(&bits, &progress, sizeof(bits));
  return bits;
}

// losses [3 + 3 · eigen losses], of encodeLosses
EXPORT(trainEpoch)
void trainEpoch(const std::uint8_t* bytes, std::size_t imageCount, const std::uint32_t* order, std::size_t count,
                std::uint32_t epoch, const double* values, std::size_t steps, double* losses) {
  const Images images = imagesAt(bytes, false, imageCount);
  write(encodeLosses(trainer->trainEpoch(images, order, count, epoch, StepValues::of(values, steps))), losses);
}

EXPORT(trainBatch)
void trainBatch(const float* clean, const float* noisy, std::size_t count, const double* values, double* losses) {
  write(encodeLosses(trainer->trainBatch(clean, noisy, count, StepValues::of(values, 1))), losses);
}

EXPORT(encode)
void encode(const void* pixels, bool floats, std::size_t count, float* embedding) {
  trainer->encode(imagesAt(pixels, floats, count), embedding);
}

// values [count][latent], then [rows][width] for each hidden layer
EXPORT(inspect)
double inspect(const void* pixels, bool floats, std::size_t count, std::size_t rows, bool withError, float* values) {
  return trainer->inspect(imagesAt(pixels, floats, count), rows, withError, values, values + count * layout.latent());
}

EXPORT(reconstruct)
void reconstruct(const void* pixels, bool floats, std::size_t count, float* output) {
  trainer->reconstruct(imagesAt(pixels, floats, count), output);
}

EXPORT(meanSquaredError)
double meanSquaredError(const void* pixels, bool floats, std::size_t count, std::uint32_t seed, float deviation) {
  const Noise noise{.seed = seed, .purpose = purpose::evaluationNoise, .epoch = 0, .deviation = deviation};
  return trainer->meanSquaredError(imagesAt(pixels, floats, count), deviation == 0 ? nullptr : &noise);
}

EXPORT(findNeighbours)
void findNeighbours(const float* points, std::size_t pointCount, const float* queries, std::size_t queryCount,
                    int dimensions, int neighbours, bool leaveOut, std::int32_t* indices) {
  const NeighbourSearch search{points, queries, pointCount, queryCount, dimensions, neighbours, leaveOut};
  findNeighbours(search, baselineKernels, 1, measuringStopped, indices);
}

EXPORT(countProbeHits)
double countProbeHits(const float* train, const std::uint8_t* trainLabels, std::size_t trainCount, const float* scored,
                      const std::uint8_t* scoredLabels, std::size_t scoredCount, int latent, bool leaveOut) {
  const LinearProbe probe{{train, trainLabels, trainCount}, {scored, scoredLabels, scoredCount}, latent, leaveOut};
  return static_cast<double>(countProbeHits(probe, measuringStopped));
}

EXPORT(singularValues)
void singularValues(const double* values, std::size_t rows, int columns, bool center, double* found) {
  write(singularValues(values, rows, columns, center, measuringStopped), found);
}

// norm: scale and shift, [2][width], or null. results: the silent units, the mean variance, and the eigenvalues if
// wanted.
EXPORT(measureLayer)
void measureLayer(const float* values, int count, int width, bool center, bool ranked, const double* norm,
                  double* results) {
  LayerOutputs outputs{values, count, width, center, ranked, {}, {}};
  if (norm != nullptr) {
    outputs.scale.assign(norm, norm + width);
    outputs.shift.assign(norm + width, norm + 2 * width);
  }
  const LayerMeasures measures = measureLayer(outputs, baselineKernels, measuringStopped);
  *results++ = measures.silentUnits;
  *results++ = measures.meanVariance;
  write(measures.eigenvalues, results);
}

}  // namespace eigenae
