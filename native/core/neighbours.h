// The nearest of many points, exactly, by comparing with all of them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace eigenae {

struct NeighbourSearch {
  const float* points;   // [pointCount][dimensions]
  const float* queries;  // [queryCount][dimensions]
  std::size_t pointCount, queryCount;
  int dimensions;
  int neighbours;  // wanted of each query
  bool leaveOut;   // the queries are the first of the points, and no point is its own neighbour
};

// indices [queryCount][neighbours]: each query's points, the nearest first, of equally near ones the one with the lower
// index; −1 after the last if there are too few. Distances are summed in double, dimension by dimension, so that they
// are JavaScript's to the last bit. Returns early once *stop is not 0.
void findNeighbours(const NeighbourSearch& search, int threads, const std::atomic<std::int32_t>& stop,
                    std::int32_t* indices);

}  // namespace eigenae
