#include "neighbours.h"

#include <algorithm>
#include <limits>
#include <system_error>
#include <thread>
#include <vector>

#include "aligned.h"
#include "instruction_set.h"

namespace eigenae {

namespace {

// Queries that are compared with a panel of points before the next panel is read. They and the panel fit in the nearest
// cache.
constexpr std::size_t queriesPerBlock = 64;
// Panels between two checks of the stop flag: less than a millisecond of work.
constexpr std::size_t panelsBetweenStopChecks = 64;

// Returns x² rounded to double. If -ffp-contract=fast fused it with the sum, the distance would have other bits.
double square(double x) {
#if defined(__x86_64__)  // this file is compiled for processors without fused operations
  return x * x;
#else
  const volatile double product = x * x;
  return product;
#endif
}

double squaredDistance(const float* a, const float* b, int dimensions) {
  double sum = 0;
  for (int j = 0; j < dimensions; ++j) sum += square(static_cast<double>(a[j]) - static_cast<double>(b[j]));
  return sum;
}

// Returns a bound for the kernel's float sums: every point whose exact squared distance is less than `distance` has a float
// sum of at most this. The sum's relative error is under (dimensions + 3) · 2^-24 (Higham, "Accuracy and Stability of
// Numerical Algorithms", 3.1), and each square may underflow. If `distance` is 0, no later point can be nearer.
float boundOf(double distance, int dimensions) {
  if (distance == 0) return -1;
  const double bound = distance * (1 + (dimensions + 8) * 0x1p-22) + dimensions * 0x1p-125;
  return bound < std::numeric_limits<float>::max() ? static_cast<float>(bound) : std::numeric_limits<float>::infinity();
}

// The nearest points of one query so far, nearest first.
class Nearest {
 public:
  explicit Nearest(int wanted) : indices_(wanted, -1), distances_(wanted) {}

  void clear() {
    std::fill(indices_.begin(), indices_.end(), -1);
    count_ = 0;
  }

  // Inserts a point if it is nearer than the farthest. Points are offered in the order of their indices, so an earlier one
  // stays ahead of a later one at the same distance. Returns whether the list is full and has changed.
  bool offer(std::int32_t index, double distance) {
    const int wanted = static_cast<int>(indices_.size());
    if (count_ == wanted && !(distance < distances_[wanted - 1])) return false;
    int rank = count_ < wanted ? count_++ : wanted - 1;
    for (; rank > 0 && distance < distances_[rank - 1]; --rank) {
      distances_[rank] = distances_[rank - 1];
      indices_[rank] = indices_[rank - 1];
    }
    distances_[rank] = distance;
    indices_[rank] = index;
    return count_ == wanted;
  }

  double farthest() const { return distances_.back(); }
  const std::vector<std::int32_t>& indices() const { return indices_; }

 private:
  std::vector<std::int32_t> indices_;
  std::vector<double> distances_;
  int count_ = 0;
};

// The points as panels: [panels][dimensions][panelColumns].
class Panels {
 public:
  Panels(const NeighbourSearch& search, const Kernels& kernels)
      : width_(static_cast<std::size_t>(kernels.panelColumns)), stride_(width_ * search.dimensions),
        count_((search.pointCount + width_ - 1) / width_), memory_(alignedFloats(count_ * stride_)) {
    for (std::size_t point = 0; point < search.pointCount; ++point) {
      const float* from = search.points + point * search.dimensions;
      float* to = memory_.get() + point / width_ * stride_ + point % width_;
      for (int j = 0; j < search.dimensions; ++j) to[j * width_] = from[j];
    }
  }

  std::size_t count() const { return count_; }
  std::size_t firstPoint(std::size_t panel) const { return panel * width_; }
  const float* operator[](std::size_t panel) const { return memory_.get() + panel * stride_; }

 private:
  std::size_t width_, stride_, count_;
  AlignedFloats memory_;
};

// One thread's search for a block of queries at a time.
class BlockSearch {
 public:
  BlockSearch(const NeighbourSearch& search, const Panels& panels, const Kernels& kernels)
      : search_(search), panels_(panels), kernels_(kernels), nearest_(queriesPerBlock, Nearest(search.neighbours)) {}

  void run(std::size_t first, const std::atomic<std::int32_t>& stop, std::int32_t* indices) {
    const std::size_t count = std::min(queriesPerBlock, search_.queryCount - first);
    for (std::size_t q = 0; q < count; ++q) {
      nearest_[q].clear();
      bounds_[q] = std::numeric_limits<float>::infinity();
    }
    for (std::size_t panel = 0; panel < panels_.count(); ++panel) {
      if (panel % panelsBetweenStopChecks == 0 && stop != 0) return;
      kernels_.findNear(panels_[panel], search_.dimensions, search_.queries + first * search_.dimensions,
                        static_cast<int>(count), bounds_, near_);
      for (std::size_t q = 0; q < count; ++q) {
        if (near_[q] != 0) offer(q, first + q, panels_.firstPoint(panel));
      }
    }
    for (std::size_t q = 0; q < count; ++q) {
      const std::vector<std::int32_t>& found = nearest_[q].indices();
      std::copy(found.begin(), found.end(), indices + (first + q) * found.size());
    }
  }

 private:
  // The last panel is padded; `point < pointCount` skips the padding.
  void offer(std::size_t q, std::size_t query, std::size_t firstPoint) {
    const float* from = search_.queries + query * search_.dimensions;
    std::size_t point = firstPoint;
    for (std::uint32_t near = near_[q]; near != 0 && point < search_.pointCount; near >>= 1, ++point) {
      if ((near & 1) == 0 || (search_.leaveOut && point == query)) continue;
      const double distance = squaredDistance(from, search_.points + point * search_.dimensions, search_.dimensions);
      if (nearest_[q].offer(static_cast<std::int32_t>(point), distance)) {
        bounds_[q] = boundOf(nearest_[q].farthest(), search_.dimensions);
      }
    }
  }

  const NeighbourSearch& search_;
  const Panels& panels_;
  const Kernels& kernels_;
  std::vector<Nearest> nearest_;
  float bounds_[queriesPerBlock] = {};
  std::uint32_t near_[queriesPerBlock] = {};
};

// Runs work(thread) on up to `threads` threads, fewer if the machine cannot start as many. The caller's thread is thread 0.
template <typename Work>
void onThreads(int threads, const Work& work) {
  std::vector<std::thread> others;
  try {
    for (int t = 1; t < threads; ++t) others.emplace_back(work, t);
  } catch (const std::system_error&) {
  }
  work(0);
  for (std::thread& other : others) other.join();
}

}  // namespace

void findNeighbours(const NeighbourSearch& search, int threads, const std::atomic<std::int32_t>& stop,
                    std::int32_t* indices) {
  const Kernels& kernels = *chosenInstructionSet().kernels;
  const Panels panels(search, kernels);
  const std::size_t blocks = (search.queryCount + queriesPerBlock - 1) / queriesPerBlock;
  const int useful = static_cast<int>(std::max<std::size_t>(1, std::min<std::size_t>(threads, blocks)));
  std::vector<BlockSearch> searches(useful, BlockSearch(search, panels, kernels));
  std::atomic<std::size_t> next{0};
  onThreads(useful, [&](int thread) {
    for (std::size_t block = next++; block < blocks && stop == 0; block = next++) {
      searches[thread].run(block * queriesPerBlock, stop, indices);
    }
  });
}

}  // namespace eigenae
