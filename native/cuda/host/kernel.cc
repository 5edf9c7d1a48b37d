#include "kernel.h"

#include <algorithm>
#include <cstdint>

namespace eigenae::cuda {

namespace {

// Throws the driver's log if the PTX is refused.
Module loadModule(const Driver& driver, const std::string& ptx) {
  char log[4096] = "";
  int options[] = {jitErrorLog, jitErrorLogBytes};
  void* values[] = {log, reinterpret_cast<void*>(std::uintptr_t{sizeof(log)})};
  Module module = nullptr;
  const Result loaded = driver.cuModuleLoadDataEx(&module, ptx.c_str(), 2, options, values);
  try {
    driver.check(loaded, "load the kernel");
  } catch (const CudaError& error) {
    log[sizeof(log) - 1] = '\0';
    throw CudaError(error.code(), error.what() + (log[0] == '\0' ? std::string() : "\n" + std::string(log)));
  }
  return module;
}

}  // namespace

Kernel::Kernel(std::shared_ptr<Card> card, const std::string& ptx, const Shape& shape)
    : card_(std::move(card)), shape_(shape) {
  card_->enter();
  const Driver& driver = card_->driver();
  module_ = loadModule(driver, ptx);
  train_ = find("train", sharedBytes(shape));
  infer_ = find("infer", inferenceSharedBytes(shape));
  int resident = 0;
  driver.check(driver.cuOccupancyMaxActiveBlocksPerMultiprocessor(&resident, train_, threads, sharedBytes(shape)),
               "count the blocks that a multiprocessor holds");
  modelsPerLaunch_ = resident * card_->facts().multiprocessors / shape.blocks;
  if (modelsPerLaunch_ > 0) return;
  throw CudaError(code::notResident, "a model needs " + std::to_string(shape.blocks) + " thread blocks at once, and " +
                                         card_->facts().name + " holds " +
                                         std::to_string(resident * card_->facts().multiprocessors));
}

// The driver would wait for launches, so modules are not unloaded once the card has failed.
Kernel::~Kernel() {
  try {
    card_->enter();
    card_->driver().cuModuleUnload(module_);
  } catch (const CudaError&) {
  }
}

Function Kernel::find(const char* name, int sharedBytes) const {
  const Driver& driver = card_->driver();
  Function function = nullptr;
  driver.check(driver.cuModuleGetFunction(&function, module_, name), std::string("find the kernel's entry ") + name);
  driver.check(driver.cuFuncSetAttribute(function, maxDynamicSharedBytes, sharedBytes), "reserve shared memory");
  return function;
}

void Kernel::launchTraining(const DeviceMemory& trainings, int models, const DeviceStream& stream) const {
  DeviceAddress argument = trainings.address();
  void* parameters[] = {&argument};
  const Driver& driver = card_->driver();
  driver.check(driver.cuLaunchCooperativeKernel(train_, static_cast<unsigned>(models * shape_.blocks), 1, 1, threads, 1,
                                                1, static_cast<unsigned>(sharedBytes(shape_)), stream.get(), parameters),
               "start a training");
}

void Kernel::launchInference(const DeviceMemory& inference, int count, const DeviceStream& stream) const {
  DeviceAddress argument = inference.address();
  void* parameters[] = {&argument};
  const int tiles = divideUp(count, inferenceImages);
  const int blocks = std::min(tiles, 8 * card_->facts().multiprocessors);
  const Driver& driver = card_->driver();
  driver.check(driver.cuLaunchKernel(infer_, static_cast<unsigned>(blocks), 1, 1, workers, 1, 1,
                                     static_cast<unsigned>(inferenceSharedBytes(shape_)), stream.get(), parameters,
                                     nullptr),
               "start an evaluation");
}

}  // namespace eigenae::cuda
