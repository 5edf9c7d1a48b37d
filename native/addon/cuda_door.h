#pragma once

#include <node_api.h>

namespace eigenae::addon {

// Creates the object that src/engines/cuda/binding.ts declares as CudaBinding.
napi_value createCudaDoor(napi_env env);

}  // namespace eigenae::addon
