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
// first of them no work at all. Slices may so be empty.
inline Range slicePixels(int pixels, int slice, int block, int relief = 0) {
  const int relieved = (relief + block / 2) / block;
  const Range range = share((pixels + block - 1) / block + relieved, slice, slices);
  const auto pixel = [&](int end) { return std::clamp((end - relieved) * block, 0, pixels); };
  return {pixel(range.begin), pixel(range.end)};
}

// A slice is added to its group's sum at once when its own thread began the group; otherwise it gets a part of its own.
inline bool addsToGroup(int slice, int firstSliceOfThread) {
  return slice % slicesInGroup != 0 && slice - slice % slicesInGroup >= firstSliceOfThread;
}

}  // namespace eigenae
