#include "../core/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace eigenae {
namespace {

// The lines "philox4x32 10" of the file kat_vectors in the Random123 distribution.
TEST(Philox, GivesThePublishedWordsForZeros) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
}

TEST(Philox, GivesThePublishedWordsForOnes) {
  const std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Philox, GivesThePublishedWordsForTheDigitsOfPi) {
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

std::vector<double> manyNormals() {
  std::vector<double> values;
  for (std::uint32_t image = 0; image < 1000; ++image) {
    for (std::uint32_t block = 0; block < 196; ++block) {
      for (float value : normals(7, purpose::trainingNoise, 3, image, block)) values.push_back(value);
    }
  }
  return values;
}

double moment(const std::vector<double>& values, int power) {
  double sum = 0;
  for (double value : values) sum += std::pow(value, power);
  return sum / static_cast<double>(values.size());
}

TEST(Normals, HaveTheMomentsOfAStandardNormal) {
  // Each bound is about four standard errors of the moment over 784,000 numbers.
  const std::vector<double> values = manyNormals();
  EXPECT_NEAR(moment(values, 1), 0, 0.0046);
  EXPECT_NEAR(moment(values, 2), 1, 0.0065);
  EXPECT_NEAR(moment(values, 3), 0, 0.018);
  EXPECT_NEAR(moment(values, 4), 3, 0.045);
}

TEST(Normals, OfOneBlockAreNotCorrelated) {
  const std::vector<double> values = manyNormals();
  for (std::size_t first = 0; first < 4; ++first) {
    for (std::size_t second = first + 1; second < 4; ++second) {
      double sum = 0;
      for (std::size_t i = 0; i < values.size(); i += 4) sum += values[i + first] * values[i + second];
      EXPECT_NEAR(sum / (static_cast<double>(values.size()) / 4), 0, 0.009);
    }
  }
}

TEST(Normals, FollowTheirDefinitionWordForWord) {
  const PhiloxCounter words = philox4x32({11, 5, 2, 0}, {42, purpose::evaluationNoise});
  const auto values = normals(42, purpose::evaluationNoise, 2, 5, 11);
  for (std::size_t pair = 0; pair < 2; ++pair) {
    const double uniform = ((words[2 * pair] >> 9) + 0.5) / 8388608;
    const double angle = 2 * M_PI * static_cast<std::int32_t>(words[2 * pair + 1]) / 4294967296.0;
    const double radius = std::sqrt(-2 * std::log(uniform));
    EXPECT_NEAR(values[2 * pair], radius * std::cos(angle), 2e-6);
    EXPECT_NEAR(values[2 * pair + 1], radius * std::sin(angle), 2e-6);
  }
}

TEST(Normals, DifferWhenAnyPartOfTheirNameDiffers) {
  const auto values = normals(1, 3, 1, 1, 1);
  EXPECT_EQ(values, normals(1, 3, 1, 1, 1));
  EXPECT_NE(values, normals(2, 3, 1, 1, 1));
  EXPECT_NE(values, normals(1, 4, 1, 1, 1));
  EXPECT_NE(values, normals(1, 3, 2, 1, 1));
  EXPECT_NE(values, normals(1, 3, 1, 2, 1));
  EXPECT_NE(values, normals(1, 3, 1, 1, 2));
}

}  // namespace
}  // namespace eigenae
