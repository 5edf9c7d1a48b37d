#include "codec_values.h"

#include <stdexcept>
#include <string>

#include "../core/random.h"

namespace eigenae::addon {

TrainerSpec toSpec(napi_env env, napi_value numbers) {
  const std::vector<double> spec = Argument(env, numbers, "spec").doubles();
  return decodeSpec(spec.data(), spec.size());
}

Session::Session(const TrainerSpec& spec)
    : layout(makeLayout(spec)), batchSize(static_cast<std::size_t>(spec.batchSize)), terms(spec.eigenLosses.size()) {}

void Session::requireAlive() const {
  if (disposed) throw std::runtime_error("the trainer has been disposed of");
}

void Session::requireIdle() const {
  requireAlive();
  if (busy) throw std::runtime_error("the trainer is still at work on another call");
}

State toState(const Session& session, const Argument& step, const Argument& numbers) {
  const std::vector<float> floats = numbers.floats();
  const std::size_t length = stateLength(session.layout);
  if (floats.size() != length) numbers.refuseValue(std::to_string(length) + " numbers");
  return decodeState(session.layout, step.number(), floats.data());
}

std::optional<Noise> toNoise(const Argument& noise) {
  if (noise.isNull()) return std::nullopt;
  return Noise{.seed = static_cast<std::uint32_t>(noise.property("seed").integer(0, 0xffffffff)),
               .purpose = purpose::evaluationNoise,
               .epoch = 0,
               .deviation = static_cast<float>(noise.property("deviation").number())};
}

std::shared_ptr<const EpochArguments> toEpoch(const Session& session, std::size_t imageCount, const Argument& order,
                                              const Argument& epoch, const Argument& values) {
  const auto arguments = std::make_shared<EpochArguments>();
  arguments->order = order.words();
  for (const std::uint32_t image : arguments->order) {
    if (image >= imageCount) order.refuseValue("of numbers below " + std::to_string(imageCount));
  }
  arguments->epoch = static_cast<std::uint32_t>(epoch.integer(0, 0xffffffff));
  arguments->steps = (arguments->order.size() + session.batchSize - 1) / session.batchSize;
  arguments->numbers = values.doubles(arguments->steps * (1 + session.terms));
  return arguments;
}

std::shared_ptr<const BatchArguments> toBatch(const Session& session, const Argument& clean, const Argument& noisy,
                                              const Argument& values) {
  const auto arguments = std::make_shared<BatchArguments>();
  arguments->clean = clean.floats(session.inputs());
  arguments->noisy = noisy.floats(session.inputs());
  arguments->count = arguments->clean.size() / session.inputs();
  if (arguments->count < 1 || arguments->count > session.batchSize) {
    clean.refuseValue("1 to " + std::to_string(session.batchSize) + " images");
  }
  if (arguments->noisy.size() != arguments->clean.size()) noisy.refuseValue("as many images as clean");
  arguments->numbers = values.doubles(1 + session.terms);
  return arguments;
}

JobSpec numberJob(std::function<double()> compute) {
  const auto number = std::make_shared<double>();
  JobSpec job;
  job.compute = [number, compute = std::move(compute)] { *number = compute(); };
  job.result = [number](napi_env env, const std::vector<napi_value>&) { return fromDouble(env, *number); };
  return job;
}

JobSpec floatsJob(napi_env env, std::size_t length, std::function<void(float*)> compute) {
  float* floats;
  JobSpec job;
  job.kept = {newFloat32Array(env, length, &floats)};
  job.compute = [floats, compute = std::move(compute)] { compute(floats); };
  job.result = [](napi_env, const std::vector<napi_value>& kept) { return kept.front(); };
  return job;
}

// Returns the address of `length` floats on shared memory.
static float* sharedRoom(const Argument& into, std::size_t length) {
  std::size_t room;
  float* const floats = into.sharedFloats(1, &room);
  if (room != length) into.refuseValue(std::to_string(length) + " numbers");
  return floats;
}

JobSpec inspectionJob(const Session& session, std::size_t count, std::size_t rows, const Argument& into,
                      std::function<double(float*, float*)> inspect) {
  const std::size_t latent = count * session.latent();
  float* const values = sharedRoom(into, latent + rows * session.hidden());
  JobSpec job = numberJob([=, inspect = std::move(inspect)] { return inspect(values, values + latent); });
  job.kept = {into.value()};
  return job;
}

JobSpec stateJob(const Session& session, const Argument& into, std::function<State()> get) {
  const Layout& layout = session.layout;
  float* const numbers = sharedRoom(into, stateLength(layout));
  JobSpec job;
  job.kept = {into.value()};
  job.compute = [&layout, numbers, get = std::move(get)] { encodeState(get(), layout, numbers); };
  job.result = [](napi_env env, const std::vector<napi_value>&) { return undefined(env); };
  return job;
}

}  // namespace eigenae::addon
