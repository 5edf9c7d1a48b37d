// PyTorch's BatchNorm1d: biased variance to normalise, unbiased in the running variance.
#pragma once

namespace eigenae {

// values: [batch][width], in place. normalized [batch][width] and inverseDeviation [width] are kept for the backward
// pass. A batch of one image has no variance and leaves the running statistics [width] as they are.
void batchNormForward(float* values, int batch, int width, const float* gamma, const float* beta, float* normalized,
                      float* inverseDeviation, float* runningMean, float* runningVariance);

// gradient: [batch][width], of the output on entry, of the input on return.
void batchNormBackward(float* gradient, int batch, int width, const float* gamma, const float* normalized,
                       const float* inverseDeviation, float* gammaGradient, float* betaGradient);

void batchNormInference(float* values, int batch, int width, const float* gamma, const float* beta,
                        const float* runningMean, const float* runningVariance);

}  // namespace eigenae
