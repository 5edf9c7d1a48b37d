// A complete training step in plain scalar C++. Read reference.cc first: it is the shortest description of what the
// core computes. The tests compare the kernels and the multi-threaded trainer with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "../core/layout.h"
#include "../core/trainer.h"

namespace eigenae {

// --- Input ---

// pixels [inputs] += deviation · N(0, 1). The noise is determined by `noise`, the image's index and the pixel's.
void addNoise(const Noise& noise, std::uint32_t image, int inputs, float* pixels);

// --- Layers. Matrices are row-major: activations [batch][width], weights [outputs][inputs] ---

void linearForward(const float* input, const float* weight, const float* bias, int batch, int inputs, int outputs,
                   float* output);
void linearBackwardInput(const float* outputGradient, const float* weight, int batch, int inputs, int outputs,
                         float* inputGradient);
void linearBackwardWeight(const float* outputGradient, const float* input, int batch, int inputs, int outputs,
                          float* weightGradient);
void linearBackwardBias(const float* outputGradient, int batch, int outputs, float* biasGradient);

// values [batch][width] are normalised in place. Also writes normalised [batch][width] and inverseDeviation [width] for
// the backward pass, and moves the running statistics [width].
void batchNormForward(float* values, int batch, int width, const float* gamma, const float* beta, float* normalised,
                      float* inverseDeviation, float* runningMean, float* runningVariance);
// gradient [batch][width] of the output becomes that of the input. Writes the gradients of gamma and beta [width].
void batchNormBackward(float* gradient, int batch, int width, const float* gamma, const float* normalised,
                       const float* inverseDeviation, float* gammaGradient, float* betaGradient);
// Normalises values [batch][width] in place by running statistics [width].
void batchNormInference(float* values, int batch, int width, const float* gamma, const float* beta,
                        const float* runningMean, const float* runningVariance);

void reluForward(float* values, std::size_t count);
// Sets gradient [count] to 0 where output [count], a result of reluForward, is 0.
void reluBackward(const float* output, float* gradient, std::size_t count);

void leakyReluForward(float slope, float* values, std::size_t count);
// Multiplies gradient [count] by the slope where output [count], a result of leakyReluForward, is not positive.
void leakyReluBackward(float slope, const float* output, float* gradient, std::size_t count);

void siluForward(float* values, std::size_t count);
// gradient [count] of the output becomes that of input [count].
void siluBackward(const float* input, float* gradient, std::size_t count);

void sigmoidForward(float* values, std::size_t count);

// --- Losses ---

// Returns Σ (output − target)².
double squaredErrorForward(const float* output, const float* target, std::size_t count);
// gradient [count] of mean((output − target)²) with respect to the input of the sigmoid that gave output.
void sigmoidMeanSquaredErrorBackward(const float* output, const float* target, std::size_t count, float* gradient);

// Returns the eigen loss of Z = values [batch][width] of one layer. Adds weight · ∂f/∂Z to gradient [batch][width].
// `center`: whether the singular values are those of the centred matrix.
double eigenLossForwardBackward(const Tape& formula, bool center, double weight, const float* values, int batch,
                                int width, double* gradient);

// --- Update ---

// One step of Adam on parameters [count], without weight decay. step counts from 1.
void adamStep(const AdamSpec& adam, double learningRate, std::int64_t step, const float* gradient, std::size_t count,
              float* parameters, float* firstMoments, float* secondMoments);

// AdamW's decay of weights [count], before Adam's step.
void decayWeights(const AdamSpec& adam, double learningRate, std::size_t count, float* weights);

// One step of SGD on parameters [count].
void sgdStep(const SgdSpec& sgd, double learningRate, const float* gradient, std::size_t count, float* parameters,
             float* buffers);

// Moves averages [count] of values [count] after a step. step counts from 1; the averages of the first one are copies.
void average(double decay, std::int64_t step, const float* values, std::size_t count, float* averages);

// --- Trainer ---

// Returns a trainer that runs these functions on one thread.
std::unique_ptr<Trainer> createReferenceTrainer(const TrainerSpec& spec);

}  // namespace eigenae
