// One training step, cut into the phases between which all members of the team must meet. Every method is called by all
// members at once, each with its number.
#pragma once

#include <cstdint>
#include <vector>

#include "../kernels/kernels.h"
#include "aligned.h"
#include "parameters.h"
#include "eigen_loss_term.h"
#include "prepared.h"
#include "slices.h"
#include "sparse_factor.h"
#include "team.h"

namespace eigenae {

// A batch: its images, from the data set with noise, or given.
struct Batch {
  int count = 0;
  AdamStep adam{};
  // from the data set: noise names seed, purpose, epoch; index [count]
  const Images* images = nullptr;
  const std::uint32_t* index = nullptr;
  Noise noise{};
  // or given, [count][inputs]
  const float* clean = nullptr;
  const float* noisy = nullptr;
};

class TrainingStep {
 public:
  TrainingStep(const TrainerSpec& spec, const Layout& layout, const Kernels& kernels, Parameters& parameters,
               std::vector<float>& runningStatistics, Team& team, const CallControl& control);

  // Before steps of so many images: in a step nothing may throw.
  void prepare(int count) { eigenLoss_.prepare(count); }

  // The phases, in this order, each followed by team.wait, but for the last two.
  void firstLayer(int member, const Batch& batch);      // input, noise; its product with the member's pixels
  void middleForward(int member, const Batch& batch);   // all layers between, for the member's images
  void lastLayer(int member, const Batch& batch);       // output, loss, gradient, update for its pixels; the eigen losses
  void middleBackward(int member, const Batch& batch);  // back to the first layer, for the member's images
  void trainMiddle(int member, const Batch& batch);     // the other layers' updates, for the member's rows and vectors
  // The first layer's updates and, if there is a next batch, what firstLayer does, slice by slice while it is at hand.
  void trainFirst(int member, const Batch& batch, const Batch* next);

  void addLosses(const Batch& batch, Losses& losses) const;  // after lastLayer

 private:
  // What a layer leaves for the way back, but for the last one. Activations in panels [outputs].
  struct Pass {
    AlignedFloats output, gradient, normalised;
    // The operand of the weight's gradient that must have its features along the columns, rowsStride_ from panel to
    // panel: what the first layer and those of the decoder read, the gradient of the encoder's others.
    AlignedFloats transposed;
    std::size_t stride = 0;  // from panel to panel of the activations
    AlignedFloats sums[2];   // batch norm: [panels][outputs], whatever is summed over the batch
    std::vector<AlignedFloats> inverse;  // a member each: [outputs] 1 / deviation
  };

  // What a member has of a slice only while it is at it, where the nearest caches keep it.
  struct SliceRoom {
    AlignedFloats input;     // a panel [pixels]
    AlignedFloats output;    // the last layer's linear outputs, then their gradient: panels of pixels [images]
    AlignedFloats gradient;  // the same gradient in panels of images [pixels], where no list saves it
    std::size_t gradientStride = 0;
  };

  int panels(const Batch& batch) const { return (batch.count + width_ - 1) / width_; }
  Range memberPanels(int member, const Batch& batch) const { return share(panels(batch), member, team_.size()); }
  Range memberSlices(int member) const { return share(slices, member, team_.size()); }
  bool hasSlices(int member) const { return memberSlices(member).begin < memberSlices(member).end; }
  Range memberRows(std::size_t layer, int member) const;
  int validColumns(const Batch& batch, int panel) const;
  // Where a slice's part of a sum over pixels goes: a place of its own, or added to what its member has begun.
  struct Part {
    int slice;
    bool adds;
  };
  Part partOf(int member, int slice) const;
  float* partial(int slice, int panel) const;
  Parts parts(int panel) const;

  // Where the panels of some pixels begin in an array of panels so far apart, and how many they are.
  std::size_t pixelPanels(Range pixels, std::size_t stride) const { return pixels.begin / width_ * stride; }
  int countPanels(Range pixels) const { return (pixels.end - pixels.begin + width_ - 1) / width_; }

  // training_pixels.cc
  void firstLayerSlice(int member, int slice, const Batch& batch);
  void prefetchImages(Range pixels, const Batch& batch) const;
  void fillInput(Range pixels, int panel, const Batch& batch, float* input) const;
  void fillTarget(Range pixels, const Batch& batch);
  int relief(int member, const Batch& batch) const;
  void lastLayerSlice(int member, int slice, Range pixels, const Batch& batch);
  void lastLayerLinear(int member, Range pixels, const Batch& batch);
  double reconstructionLoss(int member, Range pixels, const Batch& batch);
  void lastLayerBackward(int member, int slice, Range pixels, const Batch& batch);
  void trainPixels(std::size_t layer, const float* left, std::size_t leftStride, const float* right, int member,
                   Range pixels, const Batch& batch);
  // training_step.cc
  void activate(std::size_t layer, int member, const Batch& batch);
  void normalise(std::size_t layer, int member, const Batch& batch);
  // training_backward.cc
  void activateBackward(std::size_t layer, int member, const Batch& batch);
  void normaliseBackward(std::size_t layer, int member, const Batch& batch);
  void addEigenLossGradient(int panel);
  PreparedFactor gradientFactor(std::size_t layer, int member, const Batch& batch);
  void claimWeights(const PanelledLayer& layer, Range rows) const;
  void trainVectors(std::size_t layer, const Batch& batch);
  void sumGradients(std::size_t layer, Range outputs, int count, float* sums) const;

  const Layout& layout_;
  const Kernels& kernels_;
  const int width_;  // of a panel
  Parameters& parameters_;
  std::vector<float>& runningStatistics_;
  Team& team_;
  EigenLossTerm eigenLoss_;

  AlignedFloats target_;        // panels of pixels, [images]
  AlignedFloats lastFeatures_;  // what the last layer reads: panels of features, [images]
  std::size_t rowsStride_ = 0;  // from panel to panel of what has a row an image
  std::size_t partialStride_ = 0, partialPanel_ = 0;  // from slice to slice, and from panel to panel
  AlignedFloats partials_;         // [slices] panels [first layer's outputs]
  std::vector<Pass> passes_;
  std::vector<SliceRoom> sliceRooms_;   // a member each; without arrays where it has no slice
  std::vector<AlignedFloats> scratch_;  // a member each: [3][widest layer]
  std::vector<Prepared> factors_, gradientFactors_;  // a member each: activations and gradients, and their transposes
  // A member each: what the last layer reads [images][units]; that [units][images], later the first layer's gradient,
  // where the member has pixels.
  std::vector<SparseFactor> imageRows_, unitRows_;
  double squaredErrors_[slices] = {};
};

}  // namespace eigenae
