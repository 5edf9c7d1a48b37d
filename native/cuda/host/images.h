#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "card.h"

namespace eigenae::cuda {

// Images in the card's memory: bytes or floats, of which the other is empty.
class DeviceImages {
 public:
  DeviceImages(const std::shared_ptr<Card>& card, const std::vector<std::uint8_t>& bytes)
      : bytes_(card, bytes.size()) {
    copy(card, bytes_, bytes.data());
  }
  DeviceImages(const std::shared_ptr<Card>& card, const std::vector<float>& floats)
      : floats_(card, floats.size() * sizeof(float)) {
    copy(card, floats_, floats.data());
  }

  const unsigned char* bytes() const { return bytes_.as<const unsigned char>(); }
  const float* floats() const { return floats_.as<const float>(); }
  // Returns the number of images if each has the given number of pixels.
  std::size_t count(std::size_t inputs) const {
    return (bytes_.bytes() + floats_.bytes() / sizeof(float)) / inputs;
  }

 private:
  static void copy(const std::shared_ptr<Card>& card, const DeviceMemory& to, const void* from) {
    const Card::Work work(*card);
    DeviceStream stream(card);
    stream.upload(to, from, to.bytes());
    stream.wait();
  }

  DeviceMemory bytes_, floats_;
};

}  // namespace eigenae::cuda
