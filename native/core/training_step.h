// A training step is divided into phases, between which all threads of the team meet at a barrier; native/README.md
// shows them. Every phase is called by all threads at once, each with its index.
#pragma once

#include <cstdint>
#include <vector>

#include "../kernels/kernels.h"
#include "aligned.h"
#include "eigen_loss_terms.h"
#include "packed_factor.h"
#include "parameters.h"
#include "slices.h"
#include "sparse_factor.h"
#include "team.h"

namespace eigenae {

// A batch. Its images are either taken from the data set, with noise added, or given.
struct Batch {
  int count = 0;
  OptimizerStep update{};
  const double* weights = nullptr;  // the eigen losses'
  // From the data set:
  const Images* images = nullptr;
  const std::uint32_t* index = nullptr;  // [count]
  Noise noise{};
  // Given:
  const float* clean = nullptr;  // [count][inputs]
  const float* noisy = nullptr;  // [count][inputs]
};

// The running statistics of all layers with batch norm, in the order of State. Without averaging, the averages are
// empty.
struct RunningStatistics {
  std::vector<float> values, averages;

  const std::vector<float>& evaluated() const { return averages.empty() ? values : averages; }
};

class TrainingStep {
 public:
  TrainingStep(const TrainerSpec& spec, const Layout& layout, const Kernels& kernels, Parameters& parameters,
               RunningStatistics& runningStatistics, Team& team, const CallControl& control);

  // Allocates memory for batches of `count` images. Must be called before a step of that size, as a step must not
  // throw.
  void prepare(int count) { eigenLosses_.prepare(count); }

  // The phases, in the order of their calls. A barrier, team.wait, follows each of them except updateMiddle; the one
  // after updateFirst is that of the next batch's firstLayer.

  // Computes the input with noise, and its product with the first layer's weights, for the thread's pixels.
  void firstLayer(int thread, const Batch& batch);
  // Computes all layers between the first and the last, for the thread's images.
  void middleForward(int thread, const Batch& batch);
  // Computes the last layer's output, loss, gradient and update, for the thread's pixels, and the eigen losses of some
  // of the layers.
  void lastLayer(int thread, const Batch& batch);
  // Propagates the gradient back from the last layer's input to the first layer's output, for the thread's images.
  void middleBackward(int thread, const Batch& batch);
  // Updates the layers between the first and the last. Weights are divided among the threads by rows, biases and batch
  // norm by layers.
  void updateMiddle(int thread, const Batch& batch);
  // Updates the first layer for the thread's pixels. If there is a next batch, computes its firstLayer as well, slice
  // by slice, while the weights of a slice are in the cache.
  void updateFirst(int thread, const Batch& batch, const Batch* next);

  // Moves the averages of the running statistics, if there are any, by one thread. Must be called after lastLayer.
  void averageStatistics(const Batch& batch);

  // Adds the losses of the batch to `losses`, whose terms must exist. Must be called after lastLayer.
  void addLosses(const Batch& batch, Losses& losses) const;

 private:
  // The values that a layer keeps for back-propagation; the last layer has none. Panels are [outputs][images].
  struct LayerActivations {
    AlignedFloats output, gradient, normalised;
    // The linear map's output, bias included, of hidden layers with an eigen loss or with SiLU and no batch norm; and
    // the input of SiLU behind batch norm.
    AlignedFloats linear, scaled;
    // The transposed factor of the weight's gradient, panels [images][features] rowsStride_ apart: the input of the
    // first layer and of the decoder's layers, the gradient of the encoder's other layers.
    AlignedFloats transposed;
    std::size_t stride = 0;  // floats from panel to panel of these
    // [panels][outputs], sums over the images of each panel: two of batch norm, or the first of the gradient without
    // the eigen losses.
    AlignedFloats sums[2];
    std::vector<AlignedFloats> inverse;  // batch norm: for each thread, [outputs] 1 / deviation
  };

  // A thread's values of the slice that it is working on, small enough for the nearest caches.
  struct SliceBuffers {
    AlignedFloats input;     // one panel [pixels][images]
    AlignedFloats output;    // panels [images][pixels]: the last layer's linear outputs, then their gradient
    AlignedFloats gradient;  // panels [pixels][images]: the same gradient transposed, for the dense kernels
    std::size_t gradientStride = 0;
  };

  int panels(const Batch& batch) const { return (batch.count + width_ - 1) / width_; }
  Range threadPanels(int thread, const Batch& batch) const { return share(panels(batch), thread, team_.size()); }
  Range threadSlices(int thread) const { return share(slices, thread, team_.size()); }
  bool hasSlices(int thread) const { return threadSlices(thread).begin < threadSlices(thread).end; }
  Range threadRows(std::size_t layer, int thread) const;
  int validColumns(const Batch& batch, int panel) const;
  // The partial sum that receives a slice's sum over its pixels: its own, or that of its group, to which it is added.
  struct PartialSumSlot {
    int slice;
    bool adds;
  };
  PartialSumSlot partialSumSlot(int thread, int slice) const;
  float* partialSum(int slice, int panel) const;
  PartialSums partialSums(int panel) const;

  // The offset at which the panels of a range of pixels begin in an array of panels, and their number.
  std::size_t pixelPanels(Range pixels, std::size_t stride) const { return pixels.begin / width_ * stride; }
  int countPanels(Range pixels) const { return (pixels.end - pixels.begin + width_ - 1) / width_; }

  // training_pixels.cc
  void firstLayerSlice(int thread, int slice, const Batch& batch);
  void prefetchImages(Range pixels, const Batch& batch) const;
  void fillInput(Range pixels, int panel, const Batch& batch, float* input) const;
  void fillTarget(Range pixels, const Batch& batch);
  void lastLayerSlice(int thread, int slice, Range pixels, const Batch& batch);
  void lastLayerLinear(int thread, Range pixels, const Batch& batch);
  double reconstructionLoss(int thread, Range pixels, const Batch& batch);
  void lastLayerBackward(int thread, int slice, Range pixels, const Batch& batch);
  void updatePixelWeights(std::size_t layer, const float* left, std::size_t leftStride, const float* right, int thread,
                          Range pixels, const Batch& batch);
  // training_step.cc
  void activate(std::size_t layer, int thread, const Batch& batch);
  void keepLinear(std::size_t layer, int thread, const Batch& batch);
  void normalise(std::size_t layer, int thread, const Batch& batch);
  // training_eigen_losses.cc
  void evaluateEigenLosses(int thread, const Batch& batch);
  const float* eigenLossValues(std::size_t layer) const;
  int mainThreadHandicap(int thread, const Batch& batch) const;
  void addEigenLossGradient(std::size_t layer, int thread, const Batch& batch);
  void sumLatentShiftGradient(const Batch& batch);
  bool hasEigenLoss(std::size_t layer, const Batch& batch) const;
  // training_backward.cc
  void activateBackward(std::size_t layer, int thread, const Batch& batch);
  void normaliseBackward(std::size_t layer, int thread, const Batch& batch);
  PackedFactor packGradientFactor(std::size_t layer, int thread, const Batch& batch);
  void claimWeights(const PanelledLayer& layer, Range rows) const;
  void updateVectors(std::size_t layer, const Batch& batch);
  void sumPanels(const AlignedFloats& panelSums, std::size_t layer, Range outputs, const Batch& batch,
                 float* sums) const;
  void sumGradients(std::size_t layer, Range outputs, int count, float* sums) const;

  const Layout& layout_;
  const Kernels& kernels_;
  const UpdateKernels& updates_;
  const int width_;  // of a panel
  Parameters& parameters_;
  RunningStatistics& runningStatistics_;
  Team& team_;
  EigenLossTerms eigenLosses_;
  std::vector<float> latentShiftGradient_;  // [latent]

  AlignedFloats target_;        // panels [images][pixels]
  AlignedFloats lastFeatures_;  // the last layer's input: panels [images][features]
  std::size_t rowsStride_ = 0;  // floats from panel to panel of matrices whose rows are images
  // Partial sums over pixels: [slices][panels][first layer's outputs][panel], with the strides of the first two.
  std::size_t partialSumSliceStride_ = 0, partialSumPanelStride_ = 0;
  AlignedFloats partialSums_;
  std::vector<LayerActivations> layerActivations_;  // for each layer but the last
  // The following vectors have an element for each thread.
  std::vector<SliceBuffers> sliceBuffers_;               // empty for a thread without slices
  std::vector<AlignedFloats> scratch_;                   // [3][widest layer]
  std::vector<FactorPacker> factors_, gradientFactors_;  // of activations and gradients, and of their transposes
  std::vector<SparseFactor> imageRows_;                  // the last layer's input [images][units]
  std::vector<SparseFactor> unitRows_;  // its transpose [units][images]; later the first layer's gradient
  double squaredErrors_[slices] = {};
};

}  // namespace eigenae
