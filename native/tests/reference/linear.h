// output = input · weightᵀ + bias. input: [batch][inputs]; weight: [outputs][inputs]; output: [batch][outputs].
#pragma once

namespace eigenae {

// transposedWeight: scratch of [inputs][outputs]
void linearForward(const float* input, const float* weight, const float* bias, int batch, int inputs, int outputs,
                   float* transposedWeight, float* output);

void linearBackwardInput(const float* outputGradient, const float* weight, int batch, int inputs, int outputs,
                         float* inputGradient);

void linearBackwardWeight(const float* outputGradient, const float* input, int batch, int inputs, int outputs,
                          float* weightGradient);

void linearBackwardBias(const float* outputGradient, int batch, int outputs, float* biasGradient);

}  // namespace eigenae
