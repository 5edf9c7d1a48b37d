// How the work of a step is divided among slices and threads.
#pragma once

#include <algorithm>

namespace eigenae {

struct Range {
  int begin, end;
};

// Divides [0, count) into `shares` contiguous ranges of nearly equal sizes and returns one of them.
inline Range share(int count, int index, int shares) {
  return {static_cast<int>(static_cast<long long>(count) * index / shares),
          static_cast<int>(static_cast<long long>(count) * (index + 1) / shares)};
}

// The pixels of an image are divided into slices. Sums over pixels are taken slice by slice: one thread sums a slice,
// the sums of a group of slices are added, then those of the groups. The number of slices, their bounds and this order
// do not depend on the number of threads, and so neither do the bits of a result.
constexpr int slices = 8;
constexpr int slicesInGroup = 4;

// Returns the pixels of a slice. A slice is whole blocks of pixels, the panels of the weights' columns, so that no two
// threads write to the same cache line. The thread that owns slice 0 computes the eigen losses, which take as long as
// `mainThreadHandicap` pixels. The slices are therefore those of an image that begins with that many more pixels,
// without the additional ones. Bounds are rounded to blocks, so a slice may be empty.
inline Range slicePixels(int pixels, int slice, int block, int mainThreadHandicap = 0) {
  const auto bound = [&](int end) {
    if (end == slices) return pixels;
    // In eighths of a pixel, so that the arithmetic is exact.
    const long long exact = (static_cast<long long>(pixels) + mainThreadHandicap) * end -
                            static_cast<long long>(mainThreadHandicap) * slices;
    const long long exactBlock = static_cast<long long>(block) * slices;
    const long long blocks = std::max(0LL, (2 * exact + exactBlock - 1) / (2 * exactBlock));  // rounds a half down
    return static_cast<int>(std::min<long long>(pixels, blocks * block));
  };
  return {bound(slice), bound(slice + 1)};
}

// Returns an upper bound, in whole blocks, of the pixels of any slice with a handicap of at most mainThreadHandicap.
inline int largestSlice(int pixels, int block, int mainThreadHandicap = 0) {
  return ((pixels + mainThreadHandicap) / slices + 2 * block) / block * block;
}

// Whether a slice is added directly to the sum of its group, because the same thread has begun the group. Otherwise the
// slice has a partial sum of its own.
inline bool joinsGroupSum(int slice, int firstSliceOfThread) {
  return slice % slicesInGroup != 0 && slice - slice % slicesInGroup >= firstSliceOfThread;
}

}  // namespace eigenae
