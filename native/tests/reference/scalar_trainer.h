#pragma once

#include <memory>

#include "../../core/trainer.h"

namespace eigenae {

// The plain implementation: one thread, every formula in its textbook form.
std::unique_ptr<Trainer> createScalarTrainer(const TrainerSpec& spec);

}  // namespace eigenae
