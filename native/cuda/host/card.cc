#include "card.h"

#include <algorithm>
#include <cstdio>
#include <thread>

namespace eigenae::cuda {

namespace {

std::string uuidText(const Uuid& uuid) {
  std::string text = "GPU-";
  char digits[3];
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    std::snprintf(digits, sizeof(digits), "%02x", uuid.bytes[i]);
    text += digits;
  }
  return text;
}

std::string megabytes(std::size_t bytes) { return std::to_string((bytes + 999999) / 1000000) + " MB"; }

std::string uuidOf(const Driver& driver, Device device) {
  Uuid uuid;
  driver.check(driver.cuDeviceGetUuid_v2(&uuid, device), "read a card's UUID");
  return uuidText(uuid);
}

Device findDevice(const Driver& driver, const std::optional<std::string>& uuid) {
  int count = 0;
  driver.check(driver.cuDeviceGetCount(&count), "count the cards");
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    Device device;
    driver.check(driver.cuDeviceGet(&device, ordinal), "open a card");
    if (!uuid || uuidOf(driver, device) == *uuid) return device;
  }
  throw CudaError(code::noCard, uuid ? "the driver has no card " + *uuid : "the driver has no card");
}

CardFacts factsOf(const Driver& driver, Device device) {
  const auto attribute = [&](DeviceAttribute name) {
    int value = 0;
    driver.check(driver.cuDeviceGetAttribute(&value, name, device), "read a card's attributes");
    return value;
  };
  CardFacts facts;
  char name[256] = "";
  driver.check(driver.cuDeviceGetName(name, sizeof(name), device), "read a card's name");
  driver.check(driver.cuDeviceTotalMem_v2(&facts.memoryBytes, device), "read the size of a card's memory");
  facts.name = name;
  facts.uuid = uuidOf(driver, device);
  facts.driverVersion = driver.version();
  facts.capability =
      10 * attribute(DeviceAttribute::capabilityMajor) + attribute(DeviceAttribute::capabilityMinor);
  facts.multiprocessors = attribute(DeviceAttribute::multiprocessors);
  facts.sharedBytesPerBlock = attribute(DeviceAttribute::sharedBytesPerBlock);
  facts.cooperativeLaunch = attribute(DeviceAttribute::cooperativeLaunch) != 0;
  return facts;
}

// Sleeps for a share of the time that has passed, so that neither a short launch is lengthened nor a core is kept busy.
void pause(std::chrono::steady_clock::duration passed) {
  constexpr std::chrono::microseconds shortest{20}, longest{1000};
  const auto share = std::chrono::duration_cast<std::chrono::microseconds>(passed) / 50;
  std::this_thread::sleep_for(std::clamp(share, shortest, longest));
}

}  // namespace

Card::Card(const CardOptions& options) : driver_(options.library), launchLimit_(options.launchLimit) {
  driver_.check(driver_.cuInit(0), "start the driver");
  const Device device = findDevice(driver_, options.uuid);
  facts_ = factsOf(driver_, device);
  // The context is never released: memory may be freed until the end of the process, which releases it anyway.
  driver_.check(driver_.cuDevicePrimaryCtxRetain(&context_, device), "create a context");
}

void Card::enter() const {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) throw *failure_;
  }
  driver_.check(driver_.cuCtxSetCurrent(context_), "use the context");
}

DeviceAddress Card::allocate(std::size_t bytes) {
  enter();
  DeviceAddress address = 0;
  driver_.check(driver_.cuMemAlloc_v2(&address, bytes), "allocate " + megabytes(bytes) + " on the card");
  return address;
}

void Card::release(DeviceAddress address) {
  const std::lock_guard lock(mutex_);
  released_.push_back(address);
  if (working_ == 0) freeReleased();
}

// The mutex must be locked.
void Card::freeReleased() {
  // After a failure the driver would refuse, or wait for a launch that hangs.
  if (failure_ || released_.empty()) return;
  driver_.cuCtxSetCurrent(context_);
  for (const DeviceAddress address : released_) driver_.cuMemFree_v2(address);
  released_.clear();
}

Card::Work::Work(Card& card) : card_(card) {
  card_.enter();
  const std::lock_guard lock(card_.mutex_);
  ++card_.working_;
}

Card::Work::~Work() {
  const std::lock_guard lock(card_.mutex_);
  if (--card_.working_ == 0) card_.freeReleased();
}

void Card::wait(Stream stream) {
  const auto begin = std::chrono::steady_clock::now();
  const auto passed = [&] { return std::chrono::steady_clock::now() - begin; };
  Result state = driver_.cuStreamQuery(stream);
  for (; state == result::notReady && passed() < launchLimit_; state = driver_.cuStreamQuery(stream)) {
    if (abandoned_) throw CudaError(code::stopped, "the card is no longer used");
    pause(passed());
  }

  const std::lock_guard lock(mutex_);
  try {
    if (failure_) throw *failure_;
    if (state == result::notReady) {
      const std::string seconds = std::to_string(launchLimit_.count() / 1000.0);
      throw CudaError(code::deadline, "the card has not finished within " + seconds.substr(0, seconds.find('.') + 2) +
                                          " s");
    }
    driver_.check(state, "finish the work on the card");
  } catch (const CudaError& error) {
    failure_ = failure_ ? failure_ : error;
    throw;
  }
}

DeviceMemory::DeviceMemory(std::shared_ptr<Card> card, std::size_t bytes)
    : card_(std::move(card)), address_(bytes == 0 ? 0 : card_->allocate(bytes)), bytes_(bytes) {}

DeviceMemory::~DeviceMemory() {
  if (address_ != 0) card_->release(address_);
}

DeviceStream::DeviceStream(std::shared_ptr<Card> card) : card_(std::move(card)) {
  card_->enter();
  card_->driver().check(card_->driver().cuStreamCreate(&stream_, nonBlocking), "create a stream");
}

DeviceStream::~DeviceStream() { card_->driver().cuStreamDestroy_v2(stream_); }

void DeviceStream::upload(const DeviceMemory& to, const void* from, std::size_t bytes, std::size_t offset) {
  if (bytes == 0) return;
  const Driver& driver = card_->driver();
  driver.check(driver.cuMemcpyHtoDAsync_v2(to.address() + offset, from, bytes, stream_), "copy to the card");
}

void DeviceStream::download(void* to, const DeviceMemory& from, std::size_t bytes, std::size_t offset) {
  if (bytes == 0) return;
  wait();
  const Driver& driver = card_->driver();
  driver.check(driver.cuMemcpyDtoHAsync_v2(to, from.address() + offset, bytes, stream_), "copy from the card");
  wait();
}

void DeviceStream::clear(const DeviceMemory& memory, std::size_t bytes) {
  if (bytes == 0) return;
  const Driver& driver = card_->driver();
  driver.check(driver.cuMemsetD8Async(memory.address(), 0, bytes, stream_), "clear memory on the card");
}

}  // namespace eigenae::cuda
