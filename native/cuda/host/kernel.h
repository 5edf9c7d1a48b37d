// The kernel of one network, loaded on a card.
#pragma once

#include <memory>
#include <string>

#include "../kernel/arguments.h"
#include "card.h"

namespace eigenae::cuda {

class Kernel {
 public:
  // Throws a CudaError if the driver does not load the PTX, and with code::notResident if the card cannot hold the blocks
  // of one model at once.
  Kernel(std::shared_ptr<Card> card, const std::string& ptx, const Shape& shape);
  Kernel(const Kernel&) = delete;
  ~Kernel();

  const std::shared_ptr<Card>& card() const { return card_; }
  const Shape& shape() const { return shape_; }
  // Models whose blocks are resident at once.
  int modelsPerLaunch() const { return modelsPerLaunch_; }

  // Start the kernel on a stream. The arguments are in the card's memory.
  void launchTraining(const DeviceMemory& trainings, int models, const DeviceStream& stream) const;
  void launchInference(const DeviceMemory& inference, int count, const DeviceStream& stream) const;

 private:
  Function find(const char* name, int sharedBytes) const;

  std::shared_ptr<Card> card_;
  const Shape shape_;
  Module module_ = nullptr;
  Function train_ = nullptr, infer_ = nullptr;
  int modelsPerLaunch_ = 0;
};

}  // namespace eigenae::cuda
