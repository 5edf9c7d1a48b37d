// A card with its context, of which a process has one, and the memory and streams on it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cuda_error.h"
#include "driver.h"

namespace eigenae::cuda {

struct CardOptions {
  std::string library;               // libcuda, for dlopen
  std::optional<std::string> uuid;   // "GPU-…" as nvidia-smi prints it; the driver's first card if absent
  std::chrono::milliseconds launchLimit{30000};  // a launch that takes longer counts as hanging
};

struct CardFacts {
  std::string name, uuid;
  int driverVersion = 0;  // of CUDA: 12040 for 12.4
  int capability = 0;     // 10 · major + minor
  int multiprocessors = 0;
  int sharedBytesPerBlock = 0;
  bool cooperativeLaunch = false;
  std::size_t memoryBytes = 0;
};

// All methods may be called from any thread. They throw CudaErrors.
//
// Once a launch has failed or has not ended in time, the context is lost: every later call throws that first error.
class Card {
 public:
  explicit Card(const CardOptions& options);
  Card(const Card&) = delete;

  const CardFacts& facts() const { return facts_; }
  const Driver& driver() const { return driver_; }

  // Must be called on each thread before it calls a function of the driver.
  void enter() const;

  DeviceAddress allocate(std::size_t bytes);
  // Frees memory once no work is running: the driver would wait for it, and so for ever if it hangs.
  void release(DeviceAddress address);

  // Must exist from before a launch until after the wait for it.
  class Work {
   public:
    explicit Work(Card& card);
    Work(const Work&) = delete;
    ~Work();

   private:
    Card& card_;
  };

  // Waits for all work of the stream. Throws a CudaError with code::deadline if it takes longer than the limit.
  void wait(Stream stream);
  // Ends all waits with code::stopped. The card cannot be used afterwards.
  void abandon() { abandoned_ = true; }

 private:
  void freeReleased();

  const Driver driver_;
  const std::chrono::milliseconds launchLimit_;
  CardFacts facts_;
  Context context_ = nullptr;

  std::atomic<bool> abandoned_{false};
  mutable std::mutex mutex_;  // of the members below
  std::optional<CudaError> failure_;
  int working_ = 0;  // objects of Work
  std::vector<DeviceAddress> released_;
};

// Memory on the card.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(std::shared_ptr<Card> card, std::size_t bytes);
  DeviceMemory(DeviceMemory&& other) noexcept { swap(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~DeviceMemory();

  DeviceAddress address() const { return address_; }
  std::size_t bytes() const { return bytes_; }
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(address_);
  }

 private:
  void swap(DeviceMemory& other) noexcept {
    std::swap(card_, other.card_);
    std::swap(address_, other.address_);
    std::swap(bytes_, other.bytes_);
  }

  std::shared_ptr<Card> card_;
  DeviceAddress address_ = 0;
  std::size_t bytes_ = 0;
};

// An order of copies and launches. Streams run independently of each other.
class DeviceStream {
 public:
  explicit DeviceStream(std::shared_ptr<Card> card);
  DeviceStream(const DeviceStream&) = delete;
  ~DeviceStream();

  // The host's memory must stay unchanged until `wait` has returned.
  void upload(const DeviceMemory& to, const void* from, std::size_t bytes, std::size_t offset = 0);
  // Waits for the stream, then copies. The driver's own wait has no limit.
  void download(void* to, const DeviceMemory& from, std::size_t bytes, std::size_t offset = 0);
  void clear(const DeviceMemory& memory, std::size_t bytes);
  void wait() { card_->wait(stream_); }

  Stream get() const { return stream_; }

 private:
  std::shared_ptr<Card> card_;
  Stream stream_ = nullptr;
};

}  // namespace eigenae::cuda
