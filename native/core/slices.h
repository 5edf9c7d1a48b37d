// How work is cut up.
#pragma once

#include <algorithm>

namespace eigenae {

struct Range {
  int begin, end;
};

// Member `index` of `parts` gets a contiguous part of [0, count).
inline Range share(int count, int index, int parts) {
  return {static_cast<int>(static_cast<long long>(count) * index / parts),
          static_cast<int>(static_cast<long long>(count) * (index + 1) / parts)};
}

// Sums over pixels are cut into slices whose number and bounds do not depend on the threads, so neither do the bits of
// a result: a slice is summed by one thread, the slices of a group one after the other, then the groups.
constexpr int slices = 8;
constexpr int slicesInGroup = 4;

// A slice is whole blocks of pixels: panels of the weights' columns, so that no two members write to one line of the
// cache. Whoever has slice 0 has other work that takes as long as `relief` pixels: as if there were so many more, the
// first of them no work at all. Bounds are the nearest blocks'; slices may so be empty.
inline Range slicePixels(int pixels, int slice, int block, int relief = 0) {
  const auto bound = [&](int end) {
    if (end == slices) return pixels;
    const long long parts = (static_cast<long long>(pixels) + relief) * end - static_cast<long long>(relief) * slices;
    const long long partsOfBlock = static_cast<long long>(block) * slices;
    const long long blocks = std::max(0LL, (2 * parts + partsOfBlock - 1) / (2 * partsOfBlock));  // a half is left out
    return static_cast<int>(std::min<long long>(pixels, blocks * block));
  };
  return {bound(slice), bound(slice + 1)};
}

// At least the pixels of any slice, whatever the relief up to this one; whole blocks.
inline int largestSlice(int pixels, int block, int relief = 0) {
  return ((pixels + relief) / slices + 2 * block) / block * block;
}

// A slice is added to its group's sum at once when its own thread began the group; otherwise it gets a part of its own.
inline bool addsToGroup(int slice, int firstSliceOfThread) {
  return slice % slicesInGroup != 0 && slice - slice % slicesInGroup >= firstSliceOfThread;
}

}  // namespace eigenae
