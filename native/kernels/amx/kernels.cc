// The kernels of AVX-512 with the dense products on AMX tiles.
#include "../kernel_table.h"
#include "amx.h"
#include "gradient.h"
#include "products.h"

namespace eigenae {
namespace {

constexpr Kernels tiledKernels() {
  Kernels kernels = vectorKernels();
  kernels.beginProducts = configureTiles;
  kernels.endProducts = releaseTiles;
  kernels.packedFloats = packedFloats;
  kernels.packRightFactor = packRightFactor;
  kernels.multiply = multiplyTiled;
  kernels.multiplyTransposed = multiplyTransposedTiled;
  kernels.updateWeights = updateWeightsTiled;
  return kernels;
}

}  // namespace

const Kernels amxKernels = tiledKernels();

}  // namespace eigenae
