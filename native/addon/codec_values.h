// The numbers of core/codec.h as JavaScript values, for the trainers of the processor and of the card.
#pragma once

#include <node_api.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "../core/codec.h"
#include "job.h"
#include "values.h"

namespace eigenae::addon {

TrainerSpec toSpec(napi_env env, napi_value numbers);

// The sizes that the arguments of a trainer's calls must fit, and whether the trainer takes a call.
struct Session {
  explicit Session(const TrainerSpec& spec);

  std::size_t inputs() const { return static_cast<std::size_t>(layout.inputs()); }
  std::size_t latent() const { return static_cast<std::size_t>(layout.latent()); }
  std::size_t hidden() const { return static_cast<std::size_t>(layout.hiddenUnits()); }

  void requireAlive() const;
  // Must be called after all arguments have been read: reading them may run a getter that calls this trainer.
  void requireIdle() const;

  const Layout layout;
  const std::size_t batchSize, terms;
  bool busy = false, disposed = false;
};

State toState(const Session& session, const Argument& step, const Argument& numbers);

std::optional<Noise> toNoise(const Argument& noise);

// An epoch on the images of a data set.
struct EpochArguments {
  std::vector<std::uint32_t> order;
  std::uint32_t epoch;
  std::size_t steps;
  std::vector<double> numbers;

  StepValues values() const { return StepValues::of(numbers.data(), steps); }
};
std::shared_ptr<const EpochArguments> toEpoch(const Session& session, std::size_t imageCount, const Argument& order,
                                              const Argument& epoch, const Argument& values);

// A step on a given batch.
struct BatchArguments {
  std::vector<float> clean, noisy;
  std::size_t count;
  std::vector<double> numbers;

  StepValues values() const { return StepValues::of(numbers.data(), 1); }
};
std::shared_ptr<const BatchArguments> toBatch(const Session& session, const Argument& clean, const Argument& noisy,
                                              const Argument& values);

// Return jobs whose result is a number, or an array of `length` floats, that `compute` computes.
JobSpec numberJob(std::function<double()> compute);
JobSpec floatsJob(napi_env env, std::size_t length, std::function<void(float*)> compute);
// Returns a job that calls a trainer's inspect. It writes the embedding of `count` images and the hidden layers' linear
// outputs of the first `rows` into `into`, which is on shared memory; its result is the mean squared error.
JobSpec inspectionJob(const Session& session, std::size_t count, std::size_t rows, const Argument& into,
                      std::function<double(float* embedding, float* linearOutputs)> inspect);
// Returns a job that writes the numbers of the state that `get` returns into `into`, which is on shared memory. The
// session must outlive it.
JobSpec stateJob(const Session& session, const Argument& into, std::function<State()> get);

}  // namespace eigenae::addon
