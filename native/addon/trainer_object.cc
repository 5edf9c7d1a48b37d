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

// Images [count][inputs] that jobs use while JavaScript runs. Bytes on shared memory are used in place, which spares a
// copy of the data set in every call, and must be kept alive. Others are copied, because JavaScript could transfer
// their memory.
struct JobImages {
  JobImages(const Argument& argument, std::size_t inputs) {
    if (argument.holdsFloats()) {
      floats = argument.floats(inputs);
    } else if (argument.isShared()) {
      shared = argument.sharedBytes(inputs, &sharedLength);
    } else {
      bytes = argument.bytes(inputs);
    }
    count = (floats.size() + sharedLength + bytes.size()) / inputs;
  }

  Images images() const {
    if (!floats.empty()) return {nullptr, floats.data(), count};
    return {shared != nullptr ? shared : bytes.data(), nullptr, count};
  }

  std::vector<float> floats;
  const std::uint8_t* shared = nullptr;
  std::size_t sharedLength = 0;
  std::vector<std::uint8_t> bytes;
  std::size_t count;
};

struct TrainerSession : Session {
  static constexpr const char* noun = "a trainer";

  TrainerSession(const TrainerSpec& spec, const Argument& images) : Session(spec), images(images, inputs()) {}

  std::unique_ptr<Trainer> trainer;  // null once disposed
  const JobImages images;            // to be trained on
};

using Call = MethodCall<TrainerSession>;

template <napi_value (*method)(const Call&)>
constexpr napi_callback callback = methodCallback<TrainerSession, trainerTag, method>;

Trainer& idleTrainer(const Call& call) {
  call.session->requireIdle();
  return *call.session->trainer;
}

// Starts spec.compute. A session runs one call at a time.
napi_value startCall(const Call& call, JobSpec spec) {
  const std::shared_ptr<TrainerSession> session = call.session;
  session->trainer->control.begin();
  spec.kept.push_back(call.self);
  spec.stop = [session] { session->trainer->control.stop(); };
  spec.finished = [session] {
    session->busy = false;
    if (session->disposed) session->trainer.reset();
  };
  spec.result = [session, result = std::move(spec.result)](napi_env env, const std::vector<napi_value>& kept) {
    session->requireAlive();
    return result(env, kept);
  };
  const napi_value promise = startJob(call.env, std::move(spec));
  session->busy = true;
  return promise;
}

napi_value setState(const Call& call) {
  const State state = toState(*call.session, call.argument(0, "step"), call.argument(1, "numbers"));
  idleTrainer(call).setState(state);
  return nullptr;
}

napi_value getState(const Call& call) {
  const Trainer& trainer = idleTrainer(call);
  return startCall(call, stateJob(*call.session, call.argument(0, "into"), [&trainer] { return trainer.getState(); }));
}

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

napi_value trainEpoch(const Call& call) {
  const Images images = call.session->images.images();
  const auto epoch = toEpoch(*call.session, images.count, call.argument(0, "order"), call.argument(1, "epoch"),
                             call.argument(2, "values"));
  Trainer& trainer = idleTrainer(call);
  return startTraining(call, [&trainer, images, epoch] {
    return trainer.trainEpoch(images, epoch->order.data(), epoch->order.size(), epoch->epoch, epoch->values());
  });
}

napi_value trainBatch(const Call& call) {
  const auto batch =
      toBatch(*call.session, call.argument(0, "clean"), call.argument(1, "noisy"), call.argument(2, "values"));
  Trainer& trainer = idleTrainer(call);
  return startTraining(call, [&trainer, batch] {
    return trainer.trainBatch(batch->clean.data(), batch->noisy.data(), batch->count, batch->values());
  });
}

std::shared_ptr<const JobImages> imagesOf(const Call& call) {
  return std::make_shared<JobImages>(call.argument(0, "images"), call.session->inputs());
}

// Starts a job that uses imagesOf(call).
napi_value startImagesCall(const Call& call, JobSpec spec) {
  spec.kept.push_back(call.arguments[0]);
  return startCall(call, std::move(spec));
}

// Starts a job that returns floats [count][width] for the images of the first argument.
napi_value startInference(const Call& call, std::size_t width, void (Trainer::*infer)(const Images&, float*)) {
  const auto images = imagesOf(call);
  Trainer& trainer = idleTrainer(call);
  const auto compute = [&trainer, infer, images](float* output) { (trainer.*infer)(images->images(), output); };
  return startImagesCall(call, floatsJob(call.env, images->count * width, compute));
}

napi_value encode(const Call& call) { return startInference(call, call.session->latent(), &Trainer::encode); }

napi_value inspect(const Call& call) {
  const auto images = imagesOf(call);
  Trainer& trainer = idleTrainer(call);
  const auto rows =
      static_cast<std::size_t>(call.argument(1, "rows").integer(0, static_cast<std::int64_t>(images->count)));
  const bool withError = call.argument(2, "withError").boolean();
  const auto compute = [&trainer, images, rows, withError](float* embedding, float* linearOutputs) {
    return trainer.inspect(images->images(), rows, withError, embedding, linearOutputs);
  };
  return startImagesCall(call, inspectionJob(*call.session, images->count, rows, call.argument(3, "into"), compute));
}

napi_value reconstruct(const Call& call) { return startInference(call, call.session->inputs(), &Trainer::reconstruct); }

napi_value meanSquaredError(const Call& call) {
  const auto images = imagesOf(call);
  const std::optional<Noise> noise = toNoise(call.argument(1, "noise"));
  Trainer& trainer = idleTrainer(call);
  return startImagesCall(call, numberJob([&trainer, images, noise] {
                           return trainer.meanSquaredError(images->images(), noise ? &*noise : nullptr);
                         }));
}

napi_value progress(const Call& call) {
  call.session->requireAlive();
  const Progress progress = call.session->trainer->control.progress();
  const napi_value value = newObject(call.env);
  setProperty(call.env, value, "images", fromDouble(call.env, progress.images));
  setProperty(call.env, value, "loss", fromDouble(call.env, progress.loss));
  return value;
}

napi_value stop(const Call& call) {
  call.session->requireAlive();
  call.session->trainer->control.stop();
  return nullptr;
}

// If a call is running, stops it; the memory is then freed when the call has ended.
napi_value dispose(const Call& call) {
  TrainerSession& session = *call.session;
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
  const Argument images(env, imagesValue, "images");
  if (images.holdsFloats()) images.refuseType("a Uint8Array");
  const auto session = std::make_shared<TrainerSession>(spec, images);
  session->trainer = Trainer::create(spec);

  const std::vector<napi_property_descriptor> methods = {
      methodProperty("setState", callback<setState>),
      methodProperty("getState", callback<getState>),
      methodProperty("step", callback<step>),
      methodProperty("trainEpoch", callback<trainEpoch>),
      methodProperty("trainBatch", callback<trainBatch>),
      methodProperty("encode", callback<encode>),
      methodProperty("inspect", callback<inspect>),
      methodProperty("reconstruct", callback<reconstruct>),
      methodProperty("meanSquaredError", callback<meanSquaredError>),
      methodProperty("progress", callback<progress>),
      methodProperty("stop", callback<stop>),
      methodProperty("dispose", callback<dispose>),
      // Keeps session->images.shared alive: the property is hidden, and cannot be deleted or replaced.
      {"images", nullptr, nullptr, nullptr, nullptr, imagesValue, napi_default, nullptr},
  };
  return wrap(env, trainerTag, session, methods);
}

}  // namespace eigenae::addon
