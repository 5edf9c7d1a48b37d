// Inference and evaluation.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "../core/random.h"
#include "../reference/reference.h"
#include "tiny_trainer.h"

namespace eigenae {
namespace {

using testing::BatchNorm;
using testing::batchNormFlags;
using testing::bytes;
using testing::expectSameBits;
using testing::imagesOf;
using testing::makeTrainer;
using testing::pixels;
using testing::tinySpec;

TEST(Inference, DoesNotDependOnTheBatchSize) {
  TrainerSpec small = tinySpec(BatchNorm::all), large = small;
  large.batchSize = 100;
  const auto images = bytes(45, 7, 42);
  std::vector<float> a(45 * 3), b(45 * 3);
  makeTrainer(small)->encode(imagesOf(images, 7), a.data());
  makeTrainer(large)->encode(imagesOf(images, 7), b.data());
  EXPECT_EQ(a, b);
}

TEST(Inference, GivesAnImageTheSameBitsAmongOthersAndAlone) {
  constexpr std::size_t count = 70, last = 6;
  for (const std::vector<int>& widths : {std::vector<int>{7, 40}, {7, 40, 3}, {7, 6, 5, 3}}) {
    TrainerSpec spec = tinySpec(BatchNorm::none);
    spec.widths = widths;
    spec.batchNorm = batchNormFlags(BatchNorm::none, widths.size());
    const auto trainer = makeTrainer(spec);
    const auto images = bytes(count, 7, 47);
    std::vector<float> all(count * 7), some(last * 7);
    trainer->reconstruct(imagesOf(images, 7), all.data());
    const std::vector<std::uint8_t> lastImages(images.end() - last * 7, images.end());
    trainer->reconstruct(imagesOf(lastImages, 7), some.data());
    EXPECT_EQ(some, std::vector<float>(all.end() - last * 7, all.end())) << widths.size() << " widths";
  }
}

TEST(Inference, GivesTheValuesOfAllLayersAsTheReferenceDoes) {
  constexpr std::size_t count = 70;
  for (const BatchNorm batchNorm : {BatchNorm::none, BatchNorm::all}) {
    TrainerSpec spec = tinySpec(batchNorm);
    spec.widths = {7, 20, 5, 3};
    spec.batchNorm = batchNormFlags(batchNorm, spec.widths.size());
    const auto trainer = makeTrainer(spec);
    const auto reference = createReferenceTrainer(spec);
    reference->setState(trainer->getState());
    const auto images = bytes(count, 7, 48);
    std::vector<float> outputs(count * 53), expected(count * 53), embedding(count * 3);
    const float* const begin = outputs.data();
    const double error = trainer->inspect(imagesOf(images, 7), count, true, outputs.data(), outputs.data() + count * 3);
    EXPECT_NEAR(error,
                reference->inspect(imagesOf(images, 7), count, true, expected.data(), expected.data() + count * 3),
                1e-6);
    EXPECT_EQ(error, trainer->meanSquaredError(imagesOf(images, 7), nullptr));
    trainer->encode(imagesOf(images, 7), embedding.data());
    EXPECT_EQ(embedding, std::vector<float>(begin, begin + count * 3));
    for (std::size_t i = 0; i < outputs.size(); ++i) ASSERT_NEAR(outputs[i], expected[i], 1e-5) << i;
  }
}

TEST(Inference, ReadsBytesAsFractionsOf255) {
  const auto trainer = makeTrainer(tinySpec(BatchNorm::encoder));
  const auto images = bytes(10, 7, 43);
  std::vector<float> floats;
  for (std::uint8_t value : images) floats.push_back(static_cast<float>(value) / 255.0f);
  std::vector<float> a(10 * 7), b(10 * 7);
  trainer->reconstruct(imagesOf(images, 7), a.data());
  trainer->reconstruct(imagesOf(floats, 7), b.data());
  EXPECT_EQ(a, b);
}

TEST(MeanSquaredError, IsTheReconstructionsDistanceFromTheCleanImages) {
  const auto trainer = makeTrainer(tinySpec(BatchNorm::none));
  const auto images = pixels(20, 7, 44);
  const Noise noise{.seed = 9, .purpose = purpose::evaluationNoise, .epoch = 0, .deviation = 0.2f};
  std::vector<float> noisy = images, output(20 * 7);
  for (std::uint32_t image = 0; image < 20; ++image) {
    for (std::uint32_t i = 0; i < 7; ++i) {
      noisy[image * 7 + i] += 0.2f * normals(9, purpose::evaluationNoise, 0, image, i / 4)[i % 4];
    }
  }
  for (const Noise* used : {static_cast<const Noise*>(nullptr), &noise}) {
    trainer->reconstruct(imagesOf(used == nullptr ? images : noisy, 7), output.data());
    double sum = 0;
    for (std::size_t i = 0; i < images.size(); ++i) sum += std::pow(output[i] - images[i], 2);
    EXPECT_NEAR(trainer->meanSquaredError(imagesOf(images, 7), used), sum / (20 * 7), 1e-8);
  }
}

TEST(Inference, ChangesNothing) {
  const auto trainer = makeTrainer(tinySpec(BatchNorm::all));
  const State before = trainer->getState();
  const auto images = bytes(20, 7, 45);
  std::vector<float> output(20 * 7);
  trainer->reconstruct(imagesOf(images, 7), output.data());
  trainer->meanSquaredError(imagesOf(images, 7), nullptr);
  expectSameBits(trainer->getState(), before);
}

}  // namespace
}  // namespace eigenae
