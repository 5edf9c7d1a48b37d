// How the pixels are cut into slices.
#include <gtest/gtest.h>

#include <algorithm>

#include "../core/slices.h"

namespace eigenae {
namespace {

TEST(Slices, FollowEachOtherFromTheFirstPixelToTheLastInWholeBlocks) {
  for (const int pixels : {1, 3, 31, 100, 784}) {
    for (const int block : {4, 32}) {
      for (const int relief : {0, 1, 14, 250, 5000}) {
        int end = 0;
        for (int slice = 0; slice < slices; ++slice) {
          const Range range = slicePixels(pixels, slice, block, relief);
          EXPECT_EQ(range.begin, end);
          EXPECT_GE(range.end, range.begin);
          EXPECT_TRUE(range.end == pixels || range.end % block == 0);
          EXPECT_LE(range.end - range.begin, largestSlice(pixels, block, relief));
          end = range.end;
        }
        EXPECT_EQ(end, pixels) << pixels << " pixels, relief " << relief;
      }
    }
  }
}

TEST(Slices, LeaveTheFirstMemberTheReliefWhateverTheNumberOfMembers) {
  constexpr int pixels = 784, relief = 240, oneSlice = (pixels + relief) / slices;
  for (const int members : {2, 4, 8}) {
    const Range mine = share(slices, 0, members), others = share(slices, 1, members);
    const auto count = [&](Range range) {
      int sum = 0;
      for (int slice = range.begin; slice < range.end; ++slice) {
        const Range part = slicePixels(pixels, slice, 4, relief);
        sum += part.end - part.begin;
      }
      return sum;
    };
    const int each = oneSlice * slices / members;
    EXPECT_NEAR(count(mine), std::max(each - relief, 0), 8) << members << " members";
    EXPECT_NEAR(count(others), std::min(each, 2 * each - relief), 8) << members << " members";
  }
}

TEST(Slices, EndAtTheBlockThatIsNearestToTheirShare) {
  for (const int relief : {0, 9, 26, 100}) {
    const Range first = slicePixels(784, 0, 16, relief), middle = slicePixels(784, 4, 16, relief);
    EXPECT_NEAR(first.end, std::max(0.0, (784 + relief) / 8.0 - relief), 8) << relief;
    EXPECT_NEAR(middle.begin, (784 + relief) / 2.0 - relief, 8) << relief;
  }
}

}  // namespace
}  // namespace eigenae
