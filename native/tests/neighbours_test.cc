// Compares the neighbour search with sorting all distances.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "../core/instruction_set.h"
#include "../core/neighbours.h"
#include "kernel_fixture.h"

namespace eigenae {
namespace {

using testing::KernelTest;
using testing::oddSizes;
using testing::PanelMatrix;

std::vector<float> floats(std::size_t count, std::uint32_t seed) {
  const testing::Matrix values = testing::randomMatrix(1, static_cast<int>(count), seed);
  return std::vector<float>(values.begin(), values.end());
}

// Integers, so that many distances are equal.
std::vector<float> digits(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>((i * i * 31 + i * 7) % 11);
  return values;
}

double distance(const float* a, const float* b, int dimensions) {
  double sum = 0;
  for (int j = 0; j < dimensions; ++j) {
    const double away = static_cast<double>(a[j]) - b[j];
    sum += away * away;
  }
  return sum;
}

std::vector<std::int32_t> sorted(const NeighbourSearch& search) {
  std::vector<std::int32_t> all;
  for (std::size_t q = 0; q < search.queryCount; ++q) {
    std::vector<std::pair<double, std::int32_t>> found;
    for (std::size_t p = 0; p < search.pointCount; ++p) {
      if (search.leaveOut && p == q) continue;
      found.emplace_back(
          distance(search.queries + q * search.dimensions, search.points + p * search.dimensions, search.dimensions),
          static_cast<std::int32_t>(p));
    }
    std::sort(found.begin(), found.end());
    for (int k = 0; k < search.neighbours; ++k) {
      all.push_back(k < static_cast<int>(found.size()) ? found[k].second : -1);
    }
  }
  return all;
}

std::vector<std::int32_t> found(const NeighbourSearch& search, int threads, int stopped = 0) {
  std::vector<std::int32_t> indices(search.queryCount * search.neighbours, -7);
  const std::atomic<std::int32_t> stop{stopped};
  findNeighbours(search, *chosenInstructionSet().kernels, threads, stop, indices.data());
  return indices;
}

TEST(Neighbours, AreThoseThatSortingAllDistancesGives) {
  for (const int dimensions : {1, 3, 10, 33}) {
    for (const int points : {1, 4, 31, 32, 33, 500}) {
      const auto random = floats(static_cast<std::size_t>(points) * dimensions, 5);
      const auto ties = digits(static_cast<std::size_t>(points) * dimensions);
      const auto queries = floats(static_cast<std::size_t>(130) * dimensions, 6);
      for (const auto* from : {&random, &ties}) {
        const std::size_t count = points;
        const NeighbourSearch apart{from->data(), queries.data(), count, 130, dimensions, 5, false};
        EXPECT_EQ(found(apart, 1), sorted(apart)) << dimensions << " dimensions, " << points << " points";
        EXPECT_EQ(found(apart, 3), sorted(apart));
        const NeighbourSearch among{from->data(), from->data(), count, count, dimensions, 5, true};
        EXPECT_EQ(found(among, 2), sorted(among)) << dimensions << " dimensions, " << points << " points";
      }
    }
  }
}

TEST(Neighbours, AreTheFirstOfEquallyNearPointsAndExactWhereFloatIsNot) {
  const std::vector<float> same(200, 3.5f), huge{1e30f, -1e30f, 1.5e30f, 0, 2e-40f, 1e-40f};
  const NeighbourSearch equal{same.data(), same.data(), 100, 100, 2, 3, true};
  EXPECT_EQ(found(equal, 1), sorted(equal));
  const NeighbourSearch beyond{huge.data(), huge.data(), 6, 6, 1, 4, true};
  EXPECT_EQ(found(beyond, 1), sorted(beyond));
}

TEST(Neighbours, AreExactWhereTheSumsOfTheKernelCancel) {
  // Far from 0, around an outlier, and in clusters that are tight compared with their distances.
  const int dimensions = 6;
  const std::size_t count = 600;
  for (const float spread : {1e-7f, 1e-4f, 1e-2f}) {
    auto points = floats(count * dimensions, 8);
    for (std::size_t i = 0; i < points.size(); ++i) {
      points[i] = 1000 + static_cast<float>(i / dimensions % 5) + spread * points[i];
    }
    points[0] = 3e7f;
    const NeighbourSearch among{points.data(), points.data(), count, count, dimensions, 5, true};
    EXPECT_EQ(found(among, 2), sorted(among)) << spread;
  }
}

TEST(Neighbours, AreExactInManyLeavesOfClusters) {
  const int dimensions = 2;
  const std::size_t count = 3000;
  auto points = floats(count * dimensions, 9);
  for (std::size_t i = 0; i < count; ++i) {
    for (int j = 0; j < dimensions; ++j)
      points[i * dimensions + j] = 100 * (i % 7) + std::round(20 * points[i * dimensions + j]);
  }
  const NeighbourSearch among{points.data(), points.data(), count, 300, dimensions, 5, true};
  EXPECT_EQ(found(among, 2), sorted(among));
}

TEST(Neighbours, OfWhatIsNotANumberAreTheFirstPoints) {
  std::vector<float> points(80);
  for (std::size_t i = 0; i < points.size(); ++i) points[i] = static_cast<float>(i);
  points[3] = NAN;
  const std::vector<float> queries{NAN, 3.4f};
  const NeighbourSearch search{points.data(), queries.data(), 80, 2, 1, 3, false};
  EXPECT_EQ(found(search, 1), (std::vector<std::int32_t>{0, 1, 2, 4, 2, 5}));
}

TEST(Neighbours, AreNotLookedForOnceTheSearchIsStopped) {
  const auto values = floats(1000, 7);
  const NeighbourSearch search{values.data(), values.data(), 100, 100, 10, 5, false};
  EXPECT_EQ(found(search, 2, 1), std::vector<std::int32_t>(500, -7));
}

class Distances : public KernelTest {};

TEST_P(Distances, MarkThePointsOfAPanelThatAreWithinTheBound) {
  for (const int depth : oddSizes) {
    PanelMatrix points(kernels(), 1 + depth, width(), 11);
    constexpr int count = 21;
    const auto coordinates = floats(static_cast<std::size_t>(count) * depth, 12);
    const float* queries[count];
    for (int q = 0; q < count; ++q) queries[q] = coordinates.data() + static_cast<std::size_t>(q) * depth;
    std::vector<float> bounds(count, 0.1f);
    bounds[2] = -INFINITY;
    bounds[3] = INFINITY;
    std::vector<std::uint32_t> near(count);
    kernels().findNear(points.data(), depth, queries, count, bounds.data(), near.data());
    for (int q = 0; q < count; ++q) {
      for (int column = 0; column < width(); ++column) {
        double sum = points.at(0, column);
        for (int j = 0; j < depth; ++j) sum += static_cast<double>(points.at(1 + j, column)) * queries[q][j];
        if (std::abs(sum - bounds[q]) < 1e-5 * depth) continue;
        EXPECT_EQ((near[q] >> column & 1) != 0, sum <= bounds[q]) << depth << ": query " << q << ", column " << column;
      }
      EXPECT_EQ(static_cast<std::uint64_t>(near[q]) >> width(), 0u);
    }
  }
}

TEST_P(Distances, MarkWhatIsNotANumber) {
  PanelMatrix points(kernels(), 2, width(), 13);
  points.at(0, 1) = NAN;
  const float coordinate = 0, bound = -INFINITY;
  const float* query = &coordinate;
  std::uint32_t near;
  kernels().findNear(points.data(), 1, &query, 1, &bound, &near);
  EXPECT_EQ(near, 2u);
}

TEST_P(Distances, ToABoxAreThoseToItsNearestPoint) {
  for (const int depth : oddSizes) {
    PanelMatrix boxes(kernels(), 2 * depth, width(), 14);
    for (int j = 0; j < depth; ++j) {
      for (int column = 0; column < width(); ++column) {
        if (boxes.at(2 * j, column) > boxes.at(2 * j + 1, column)) {
          std::swap(boxes.at(2 * j, column), boxes.at(2 * j + 1, column));
        }
      }
    }
    const auto query = floats(depth, 15);
    alignas(64) float distances[32];
    kernels().boxDistances(boxes.data(), depth, query.data(), distances);
    for (int column = 0; column < width(); ++column) {
      double sum = 0;
      for (int j = 0; j < depth; ++j) {
        const double nearest = std::clamp(query[j], boxes.at(2 * j, column), boxes.at(2 * j + 1, column));
        sum += (query[j] - nearest) * (query[j] - nearest);
      }
      EXPECT_NEAR(distances[column], sum, 1e-6 * (1 + sum)) << depth << ": column " << column;
    }
  }
}

TEST_P(Distances, ToABoxAreZeroAlongAnAxisOnWhichItIsNotANumber) {
  PanelMatrix boxes(kernels(), 2, width(), 16);
  boxes.at(0, 0) = boxes.at(1, 0) = INFINITY;
  const float query = INFINITY;
  alignas(64) float distances[32];
  kernels().boxDistances(boxes.data(), 1, &query, distances);
  EXPECT_EQ(distances[0], 0);
}

EIGENAE_EVERY_INSTRUCTION_SET(Distances);

}  // namespace
}  // namespace eigenae
