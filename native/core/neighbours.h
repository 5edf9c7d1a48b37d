// Exact search for the nearest of many points, by comparing with all of them.
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
  int neighbours;  // number of neighbours of each query
  bool leaveOut;   // the queries are the first points, and a point is not its own neighbour
};

// Writes indices [queryCount][neighbours]: each query's points, nearest first, and among equally near points the lowest
// index first. Missing neighbours are −1. Distances are summed in double, dimension by dimension, which gives the same
// bits as JavaScript. Returns early once stop is not 0.
void findNeighbours(const NeighbourSearch& search, int threads, const std::atomic<std::int32_t>& stop,
                    std::int32_t* indices);

}  // namespace eigenae
