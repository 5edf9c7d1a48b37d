// A model of the CUDA core as JavaScript holds it: CudaModel in src/engines/cuda/binding.ts.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "../core/trainer.h"
#include "../cuda/host/card.h"
#include "../cuda/host/kernel.h"
#include "../cuda/host/model.h"
#include "job.h"
#include "values.h"

namespace eigenae::addon {

struct ModelSession;
using SharedModel = std::shared_ptr<ModelSession>;

// Starts a job that returns a model of the kernel.
napi_value startCreatingModel(napi_env env, std::shared_ptr<const cuda::Kernel> kernel, const TrainerSpec& spec);

// Starts a job that returns images in the card's memory: CudaImages.
napi_value startKeepingImages(napi_env env, std::shared_ptr<cuda::Card> card, std::vector<std::uint8_t> bytes);

// Returns a model of the kernel, at work on no call.
SharedModel toModel(napi_env env, const Argument& argument, const cuda::Kernel* kernel);
cuda::Model* modelOf(const ModelSession& session);

// Starts a job that uses the models, which must be idle and different. A model runs one call at a time.
napi_value startModelCall(napi_env env, const std::vector<SharedModel>& models, JobSpec job);

}  // namespace eigenae::addon
