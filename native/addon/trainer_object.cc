#include "trainer_object.h"

#include <array>
#include <memory>
#include <optional>
#include <stdexcept>

#include "job.h"
#include "spec.h"
#include "values.h"

namespace eigenae::addon {

namespace {

// The three words of `control` in src/engines/core/core.ts are used as they are.
static_assert(sizeof(EpochControl) == 3 * sizeof(std::int32_t) && std::atomic<std::int32_t>::is_always_lock_free &&
              std::atomic<float>::is_always_lock_free);

struct Session {
  std::unique_ptr<Trainer> trainer;  // null once disposed
  std::size_t inputs = 0, latent = 0;
  bool busy = false, disposed = false;
  EpochControl* control = nullptr;  // of the epoch that runs
};

using SharedSession = std::shared_ptr<Session>;

struct Call {
  napi_env env;
  napi_value self;
  std::array<napi_value, 4> arguments;
  SharedSession session;
};

using Method = napi_value (*)(const Call&);

// The face of a method to Node: finds the session, and turns a C++ exception into a JavaScript one.
template <Method method>
napi_value callback(napi_env env, napi_callback_info info) {
  try {
    Call call{env, nullptr, {}, nullptr};
    std::size_t count = call.arguments.size();
    check(env, napi_get_cb_info(env, info, &count, call.arguments.data(), &call.self, nullptr));
    void* data;
    check(env, napi_unwrap(env, call.self, &data));
    call.session = *static_cast<SharedSession*>(data);
    return method(call);
  } catch (const std::exception& exception) {
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (!pending) throwInJavaScript(env, exception);
    return nullptr;
  }
}

Trainer& idleTrainer(const Call& call) {
  if (call.session->disposed) throw std::runtime_error("the trainer has been disposed of");
  if (call.session->busy) throw std::runtime_error("the trainer is still at work on another call");
  return *call.session->trainer;
}

// Runs spec.compute as the session's one call at a time.
napi_value startCall(const Call& call, JobSpec spec) {
  const SharedSession session = call.session;
  spec.stop = [session] {
    if (session->control != nullptr) session->control->stop = 1;
  };
  spec.finished = [session] {
    session->busy = false;
    session->control = nullptr;
    if (session->disposed) session->trainer.reset();
  };
  const napi_value promise = startJob(call.env, std::move(spec));
  session->busy = true;
  return promise;
}

Images toImages(const Call& call, napi_value value) {
  const TypedArray array = typedArray(call.env, value);
  Images images;
  if (array.type == napi_float32_array) {
    images.floats = array.as<float>();
  } else {
    images.bytes = array.as<std::uint8_t>();
  }
  images.count = array.length / call.session->inputs;
  return images;
}

napi_value setState(const Call& call) {
  idleTrainer(call).setState(toState(call.env, call.arguments[0]));
  return nullptr;
}

napi_value getState(const Call& call) { return fromState(call.env, idleTrainer(call).getState()); }

// A job whose result is the losses that `train` returns.
napi_value startTraining(const Call& call, std::vector<napi_value> kept, std::function<Losses()> train) {
  const auto losses = std::make_shared<Losses>();
  JobSpec spec;
  spec.kept = std::move(kept);
  spec.compute = [losses, train = std::move(train)] { *losses = train(); };
  spec.result = [losses](napi_env env, const std::vector<napi_value>&) { return fromLosses(env, *losses); };
  return startCall(call, std::move(spec));
}

napi_value trainEpoch(const Call& call) {
  Trainer& trainer = idleTrainer(call);
  const auto [imageArray, orderArray, epochNumber, controlArray] = call.arguments;
  const Images images = toImages(call, imageArray);
  const TypedArray order = typedArray(call.env, orderArray);
  const auto epoch = static_cast<std::uint32_t>(toDouble(call.env, epochNumber));
  EpochControl* control = typedArray(call.env, controlArray).as<EpochControl>();
  const napi_value promise =
      startTraining(call, {call.self, imageArray, orderArray, controlArray}, [&trainer, images, order, epoch, control] {
        return trainer.trainEpoch(images, order.as<std::uint32_t>(), order.length, epoch, *control);
      });
  call.session->control = control;
  return promise;
}

napi_value trainBatch(const Call& call) {
  Trainer& trainer = idleTrainer(call);
  const napi_value cleanArray = call.arguments[0], noisyArray = call.arguments[1];
  const Images clean = toImages(call, cleanArray), noisy = toImages(call, noisyArray);
  return startTraining(call, {call.self, cleanArray, noisyArray}, [&trainer, clean, noisy] {
    return trainer.trainBatch(clean.floats, noisy.floats, clean.count);
  });
}

// A job that writes [count][width] floats for the images of the first argument.
napi_value startInference(const Call& call, std::size_t width, void (Trainer::*infer)(const Images&, float*)) {
  Trainer& trainer = idleTrainer(call);
  const Images images = toImages(call, call.arguments[0]);
  const napi_value outputArray = newFloat32Array(call.env, images.count * width);
  float* output = typedArray(call.env, outputArray).as<float>();
  JobSpec spec;
  spec.kept = {outputArray, call.self, call.arguments[0]};
  spec.compute = [&trainer, infer, images, output] { (trainer.*infer)(images, output); };
  spec.result = [](napi_env, const std::vector<napi_value>& kept) { return kept.front(); };
  return startCall(call, std::move(spec));
}

napi_value encode(const Call& call) { return startInference(call, call.session->latent, &Trainer::encode); }

napi_value reconstruct(const Call& call) { return startInference(call, call.session->inputs, &Trainer::reconstruct); }

napi_value meanSquaredError(const Call& call) {
  Trainer& trainer = idleTrainer(call);
  const Images images = toImages(call, call.arguments[0]);
  std::optional<Noise> noise;
  if (!isNull(call.env, call.arguments[1])) noise = toNoise(call.env, call.arguments[1]);
  const auto error = std::make_shared<double>();
  JobSpec spec;
  spec.kept = {call.self, call.arguments[0]};
  spec.compute = [&trainer, images, noise, error] {
    *error = trainer.meanSquaredError(images, noise ? &*noise : nullptr);
  };
  spec.result = [error](napi_env env, const std::vector<napi_value>&) { return fromDouble(env, *error); };
  return startCall(call, std::move(spec));
}

// While a call runs, it is told to stop and the memory goes when it has.
napi_value dispose(const Call& call) {
  Session& session = *call.session;
  session.disposed = true;
  if (!session.busy) session.trainer.reset();
  if (session.control != nullptr) session.control->stop = 1;
  return nullptr;
}

napi_property_descriptor methodProperty(const char* name, napi_callback method) {
  return {name, nullptr, method, nullptr, nullptr, nullptr, napi_default_method, nullptr};
}

}  // namespace

napi_value createTrainerObject(napi_env env, napi_value value) {
  const TrainerSpec spec = toSpec(env, value);
  const auto session = std::make_shared<Session>();
  session->trainer = Trainer::create(spec);
  session->inputs = static_cast<std::size_t>(spec.widths.front());
  session->latent = static_cast<std::size_t>(spec.widths.back());

  const napi_value object = newObject(env);
  const napi_property_descriptor methods[] = {
      methodProperty("setState", callback<setState>),
      methodProperty("getState", callback<getState>),
      methodProperty("trainEpoch", callback<trainEpoch>),
      methodProperty("trainBatch", callback<trainBatch>),
      methodProperty("encode", callback<encode>),
      methodProperty("reconstruct", callback<reconstruct>),
      methodProperty("meanSquaredError", callback<meanSquaredError>),
      methodProperty("dispose", callback<dispose>),
  };
  check(env, napi_define_properties(env, object, std::size(methods), methods));
  auto owned = std::make_unique<SharedSession>(session);
  const auto destroy = [](napi_env, void* data, void*) { delete static_cast<SharedSession*>(data); };
  check(env, napi_wrap(env, object, owned.get(), destroy, nullptr, nullptr));
  owned.release();
  return object;
}

}  // namespace eigenae::addon
