// The phases that are divided by pixels: the noisy input, and the last layer with the reconstruction loss.
#pragma once

#include "noise.h"
#include "products.h"

namespace eigenae {
namespace cuda {

// The index of the batch's image in the data set.
DEV unsigned imageNumber(const Block& b, const Step& step, int image) { return b.training->order[step.begin + image]; }

// Fills `input` [pixels][batchRow] with this block's pixels of the batch; 0 beyond the batch and the image.
DEV void fillInput(const Block& b, const Step& step, float* input) {
  const Training& g = *b.training;
  for (int e = thread(); e < pixels / 4 * batch; e += workers) {
    const int row = e / batch * 4, image = e % batch, pixel = b.firstPixel + row;
    float values[4] = {};
    if (image < step.images && pixel < inputs) {
      if (g.noisy != nullptr) {
        const float* from = g.noisy + static_cast<long long>(step.begin + image) * inputs + pixel;
        for (int i = 0; i < 4; ++i) values[i] = pixel + i < inputs ? from[i] : 0;
      } else {
        const unsigned number = imageNumber(b, step, image);
        readPixels<inputs>(g.images + static_cast<long long>(number) * inputs, pixel, values);
        if (g.noise != 0) addNoise(g.seed, g.purpose, g.epoch, number, pixel / 4, g.noise, values);
        for (int i = 0; i < 4; ++i)
          if (pixel + i >= inputs) values[i] = 0;
      }
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) input[(row + i) * batchRow + image] = values[i];
  }
}

// Adds Σ weight[pixel][unit] · unitValues[unit][image] over a tile of hidden units to a tile of 4 pixels × 2 images.
DEV void addOutputs(const float* weight, const float* unitValues, float (&sums)[4][2]) {
#pragma unroll 2
  for (int u = 0; u < tileRows; u += 4) {
    float4 left[4];
    float right[4][2];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      left[i] = at4(weight + i * hiddenRow + u);
      right[i][0] = unitValues[(u + i) * batchRow];
      right[i][1] = unitValues[(u + i) * batchRow + 1];
    }
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        sums[i][j] = fma(left[i].x, right[0][j], sums[i][j]);
        sums[i][j] = fma(left[i].y, right[1][j], sums[i][j]);
        sums[i][j] = fma(left[i].z, right[2][j], sums[i][j]);
        sums[i][j] = fma(left[i].w, right[3][j], sums[i][j]);
      }
  }
}

// The clean values of four pixels of an image of the batch.
DEV void cleanPixels(const Block& b, const Step& step, int image, int pixel, float (&values)[4]) {
  const Training& g = *b.training;
  if (g.clean != nullptr) {
    const float* from = g.clean + static_cast<long long>(step.begin + image) * inputs + pixel;
    for (int i = 0; i < 4; ++i) values[i] = pixel + i < inputs ? from[i] : 0;
  } else {
    readPixels<inputs>(g.images + static_cast<long long>(imageNumber(b, step, image)) * inputs, pixel, values);
  }
}

// Turns a tile's linear outputs without bias into their gradient. Returns the sum of the squared errors.
DEV float reconstructionLoss(const Block& b, const Step& step, const float* bias, int row, int image,
                             float (&sums)[4][2]) {
  const float scale = divide(2.0f, static_cast<float>(step.images) * inputs);
  const int pixel = b.firstPixel + row;
  float squares = 0;
#pragma unroll
  for (int j = 0; j < 2; ++j) {
    const bool in = image + j < step.images && pixel < inputs;
    float clean[4] = {};
    if (in) cleanPixels(b, step, image + j, pixel, clean);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float y = sigmoid(sums[i][j] + bias[row + i]);
      const float difference = in && pixel + i < inputs ? y - clean[i] : 0;
      squares = fma(difference, difference, squares);
      sums[i][j] = difference * scale * fma(-y, y, y);
    }
  }
  return squares;
}

// Computes this block's pixels of the last layer from a tile of hidden units in `unitValues` [tileRows][batchRow], the
// one from firstRow on. Tiles come in ascending order; until the last one, `output` [pixels][batchRow] has the sum over
// those before, and then the gradient of the linear output. Each of `losses` [lossTiles] is a sum of squared errors.
DEV void computeOutput(const Block& b, const Step& step, const float* weight, const float* bias,
                       const float* unitValues, int firstRow, float* output, float* losses) {
  for (int tile = thread(); tile < pixels / 4 * (batch / 2); tile += workers) {
    const int image = tile % (batch / 2) * 2, row = tile / (batch / 2) * 4;
    float sums[4][2] = {};
    if (TILES > 1 && firstRow > 0) {
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 2; ++j) sums[i][j] = output[(row + i) * batchRow + image + j];
    }
    addOutputs(weight + row * hiddenRow + firstRow, unitValues + image, sums);
    if (firstRow + tileRows == hiddenRows) losses[tile] = reconstructionLoss(b, step, bias, row, image, sums);
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int j = 0; j < 2; ++j) output[(row + i) * batchRow + image + j] = sums[i][j];
  }
}

// Stores each slice's squared errors: out [all slices][lossParts].
DEV void storeLosses(const Block& b, const float* losses, float* out) {
  constexpr int tilesOfPart = slicePixels / 4 * (batch / 2) / lossParts;
  for (int part = thread(); part < slices * lossParts; part += workers) {
    float sum = 0;
    for (int i = 0; i < tilesOfPart; ++i) sum += losses[part * tilesOfPart + i];
    storeExchanged(out + b.rank * slices * lossParts + part, sum);
  }
}

// Updates the output's bias [3: value and both moments][pixels].
DEV void updateOutputBias(const Block& b, const Step& step, const float* output, float* bias) {
  constexpr int at = biasOffset(shape, layers - 1);
  const Optimizer optimizer = optimizerOf(b, step);
  for (int row = thread(); row < pixels; row += workers) {
    if (b.firstPixel + row >= inputs) continue;
    float sum = 0;
    for (int image = 0; image < batch; ++image) sum += output[row * batchRow + image];
    optimizer.update(sum, false, bias[row], bias[pixels + row], bias[2 * pixels + row]);
    optimizer.average(b.training->averages, at + b.firstPixel + row, bias[row]);
  }
}

}  // namespace cuda
}  // namespace eigenae
