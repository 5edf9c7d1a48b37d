#include "trainer_object.h"

#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>

#include "../core/codec.h"
#include "codec_values.h"
#include "job.h"
#include "values.h"
#include "wrapped.h"

namespace eigenae::addon {

namespace {

// Identifies this module's trainers, so that an object that another addon wraps is not mistaken for one.
constexpr napi_type_tag trainerTag = {0x6b0d3f7c52a84e19, 0x9f51c2e07ad34b86};

struct Session {
  static constexpr const char* noun = "a trainer";

  std::unique_ptr<Trainer> trainer;  // null once disposed
  std::vector<std::uint8_t> images;  // [count][inputs], to be trained on
  std::size_t inputs = 0, latent = 0, hidden = 0, batchSize = 0, terms = 0;
  StateSizes sizes;
  bool busy = false, disposed = false;
};

using SharedSession = std::shared_ptr<Session>;

using Call = MethodCall<Session>;

template <napi_value (*method)(const Call&)>
constexpr napi_callback callback = methodCallback<Session, trainerTag, method>;

void requireAlive(const Session& session) {
  if (session.disposed) throw std::runtime_error("the trainer has been disposed of");
}

// Must be called after all arguments have been read: reading them may run a getter that calls this trainer.
Trainer& idleTrainer(const Call& call) {
  requireAlive(*call.session);
  if (call.session->busy) throw std::runtime_error("the trainer is still at work on another call");
  return *call.session->trainer;
}

// Starts spec.compute. A session runs one call at a time.
napi_value startCall(const Call& call, JobSpec spec) {
  const SharedSession session = call.session;
  session->trainer->control.begin();
  spec.kept.push_back(call.self);
  spec.stop = [session] { session->trainer->control.stop(); };
  spec.finished = [session] {
    session->busy = false;
    if (session->disposed) session->trainer.reset();
  };
  spec.result = [session, result = std::move(spec.result)](napi_env env, const std::vector<napi_value>& kept) {
    requireAlive(*session);
    return result(env, kept);
  };
  const napi_value promise = startJob(call.env, std::move(spec));
  session->busy = true;
  return promise;
}

// A copy of the images that a job uses, because JavaScript could transfer the memory while it runs.
struct ImageCopy {
  std::vector<std::uint8_t> bytes;
  std::vector<float> floats;
  std::size_t count = 0;

  Images images() const {
    return {floats.empty() ? bytes.data() : nullptr, floats.empty() ? nullptr : floats.data(), count};
  }
};

std::shared_ptr<const ImageCopy> toImages(const Call& call, const Argument& argument) {
  const auto copy = std::make_shared<ImageCopy>();
  const std::size_t inputs = call.session->inputs;
  if (argument.holdsFloats()) {
    copy->floats = argument.floats(inputs);
  } else {
    copy->bytes = argument.bytes(inputs);
  }
  copy->count = (copy->floats.size() + copy->bytes.size()) / inputs;
  return copy;
}

napi_value setState(const Call& call) {
  const State state = toState(call.argument(0, "step"), call.argument(1, "numbers"), call.session->sizes);
  idleTrainer(call).setState(state);
  return nullptr;
}

napi_value getState(const Call& call) { return fromState(call.env, idleTrainer(call).getState(), call.session->sizes); }

napi_value step(const Call& call) { return fromDouble(call.env, static_cast<double>(idleTrainer(call).step())); }

// Starts a job that returns the losses of `train`.
napi_value startTraining(const Call& call, std::function<Losses()> train) {
  const auto losses = std::make_shared<Losses>();
  JobSpec spec;
  spec.compute = [losses, train = std::move(train)] { *losses = train(); };
  spec.result = [losses](napi_env env, const std::vector<napi_value>&) {
    return fromDoubles(env, encodeLosses(*losses));
  };
  return startCall(call, std::move(spec));
}

std::shared_ptr<const StepValueArrays> toStepValueArrays(const Call& call, std::size_t steps) {
  return std::make_shared<const StepValueArrays>(toStepValues(call.argument(2, "values"), steps, call.session->terms));
}

napi_value trainEpoch(const Call& call) {
  const Argument orderArgument = call.argument(0, "order");
  const auto order = std::make_shared<const std::vector<std::uint32_t>>(orderArgument.words());
  const auto epoch = static_cast<std::uint32_t>(call.argument(1, "epoch").integer(0, 0xffffffff));
  const std::vector<std::uint8_t>& bytes = call.session->images;
  const Images images{bytes.data(), nullptr, bytes.size() / call.session->inputs};
  for (const std::uint32_t image : *order) {
    if (image >= images.count) orderArgument.refuseValue("of numbers below " + std::to_string(images.count));
  }
  const std::size_t batchSize = call.session->batchSize, steps = (order->size() + batchSize - 1) / batchSize;
  const auto values = toStepValueArrays(call, steps);
  Trainer& trainer = idleTrainer(call);
  return startTraining(call, [&trainer, images, order, epoch, values] {
    return trainer.trainEpoch(images, order->data(), order->size(), epoch, values->values());
  });
}

napi_value trainBatch(const Call& call) {
  const Argument cleanArgument = call.argument(0, "clean"), noisyArgument = call.argument(1, "noisy");
  const Session& session = *call.session;
  const auto clean = std::make_shared<const std::vector<float>>(cleanArgument.floats(session.inputs));
  const auto noisy = std::make_shared<const std::vector<float>>(noisyArgument.floats(session.inputs));
  const std::size_t count = clean->size() / session.inputs;
  if (count < 1 || count > session.batchSize) {
    cleanArgument.refuseValue("1 to " + std::to_string(session.batchSize) + " images");
  }
  if (noisy->size() != clean->size()) noisyArgument.refuseValue("as many images as clean");
  const auto values = toStepValueArrays(call, 1);
  Trainer& trainer = idleTrainer(call);
  return startTraining(call, [&trainer, clean, noisy, count, values] {
    return trainer.trainBatch(clean->data(), noisy->data(), count, values->values());
  });
}

// Starts a job that returns floats [count][width] for the images of the first argument.
napi_value startInference(const Call& call, std::size_t width, void (Trainer::*infer)(const Images&, float*)) {
  const auto images = toImages(call, call.argument(0, "images"));
  float* output;
  const napi_value outputArray = newFloat32Array(call.env, images->count * width, &output);
  Trainer& trainer = idleTrainer(call);
  JobSpec spec;
  spec.kept = {outputArray};
  spec.compute = [&trainer, infer, images, output] { (trainer.*infer)(images->images(), output); };
  spec.result = [](napi_env, const std::vector<napi_value>& kept) { return kept.front(); };
  return startCall(call, std::move(spec));
}

napi_value encode(const Call& call) { return startInference(call, call.session->latent, &Trainer::encode); }

napi_value linearOutputs(const Call& call) {
  return startInference(call, call.session->hidden, &Trainer::linearOutputs);
}

napi_value reconstruct(const Call& call) { return startInference(call, call.session->inputs, &Trainer::reconstruct); }

napi_value meanSquaredError(const Call& call) {
  const auto images = toImages(call, call.argument(0, "images"));
  std::optional<Noise> noise;
  if (const Argument argument = call.argument(1, "noise"); !argument.isNull()) noise = toNoise(argument);
  Trainer& trainer = idleTrainer(call);
  const auto error = std::make_shared<double>();
  JobSpec spec;
  spec.compute = [&trainer, images, noise, error] {
    *error = trainer.meanSquaredError(images->images(), noise ? &*noise : nullptr);
  };
  spec.result = [error](napi_env env, const std::vector<napi_value>&) { return fromDouble(env, *error); };
  return startCall(call, std::move(spec));
}

napi_value progress(const Call& call) {
  requireAlive(*call.session);
  const Progress progress = call.session->trainer->control.progress();
  const napi_value value = newObject(call.env);
  setProperty(call.env, value, "images", fromDouble(call.env, progress.images));
  setProperty(call.env, value, "loss", fromDouble(call.env, progress.loss));
  return value;
}

napi_value stop(const Call& call) {
  requireAlive(*call.session);
  call.session->trainer->control.stop();
  return nullptr;
}

// If a call is running, stops it; the memory is then freed when the call has ended.
napi_value dispose(const Call& call) {
  Session& session = *call.session;
  session.disposed = true;
  if (session.busy) {
    session.trainer->control.stop();
  } else {
    session.trainer.reset();
  }
  return nullptr;
}

}  // namespace

napi_value createTrainerObject(napi_env env, napi_value specValue, napi_value imagesValue) {
  const TrainerSpec spec = toSpec(env, specValue);
  const auto session = std::make_shared<Session>();
  session->inputs = static_cast<std::size_t>(spec.widths.front());
  session->latent = static_cast<std::size_t>(spec.widths.back());
  for (std::size_t i = 1; i + 1 < spec.widths.size(); ++i) session->hidden += 2 * spec.widths[i];
  session->batchSize = static_cast<std::size_t>(spec.batchSize);
  session->terms = spec.eigenLosses.size();
  session->images = Argument(env, imagesValue, "images").bytes(session->inputs);
  session->trainer = Trainer::create(spec);
  session->sizes = {session->trainer->parameterCount(), session->trainer->runningStatisticCount(),
                    spec.averaging.has_value()};

  const std::vector<napi_property_descriptor> methods = {
      methodProperty("setState", callback<setState>),
      methodProperty("getState", callback<getState>),
      methodProperty("step", callback<step>),
      methodProperty("trainEpoch", callback<trainEpoch>),
      methodProperty("trainBatch", callback<trainBatch>),
      methodProperty("encode", callback<encode>),
      methodProperty("linearOutputs", callback<linearOutputs>),
      methodProperty("reconstruct", callback<reconstruct>),
      methodProperty("meanSquaredError", callback<meanSquaredError>),
      methodProperty("progress", callback<progress>),
      methodProperty("stop", callback<stop>),
      methodProperty("dispose", callback<dispose>),
  };
  return wrap(env, trainerTag, session, methods);
}

}  // namespace eigenae::addon
