#include "trainer.h"

#include "scalar_trainer.h"

namespace eigenae {

std::unique_ptr<Trainer> Trainer::create(const TrainerSpec& spec) { return createScalarTrainer(spec); }

}  // namespace eigenae
