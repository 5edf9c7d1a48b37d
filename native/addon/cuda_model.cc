#include "cuda_model.h"

#include <functional>
#include <optional>
#include <stdexcept>

#include "../cuda/host/images.h"
#include "codec_values.h"
#include "wrapped.h"

namespace eigenae::addon {

struct ModelSession : Session {
  static constexpr const char* noun = "a model";

  explicit ModelSession(const TrainerSpec& spec) : Session(spec) {}

  std::unique_ptr<cuda::Model> model;  // null once disposed
};

namespace {

constexpr napi_type_tag modelTag = {0x51b7c3e8840f4d2a, 0x97a2d56f1e80c4b3};
constexpr napi_type_tag imagesTag = {0xd4805a19c76b4ef2, 0x83e9b17046cd2a5f};

using SharedImages = std::shared_ptr<cuda::DeviceImages>;

using Call = MethodCall<ModelSession>;

template <napi_value (*method)(const Call&)>
constexpr napi_callback callback = methodCallback<ModelSession, modelTag, method>;

cuda::Model& idleModel(const Call& call) {
  call.session->requireIdle();
  return *call.session->model;
}

napi_value startCall(const Call& call, JobSpec job) {
  job.kept.push_back(call.self);
  return startModelCall(call.env, {call.session}, std::move(job));
}

// Starts a job without a result.
napi_value startCall(const Call& call, std::function<void()> compute) {
  JobSpec job;
  job.compute = std::move(compute);
  job.result = [](napi_env env, const std::vector<napi_value>&) { return undefined(env); };
  return startCall(call, std::move(job));
}

napi_value setState(const Call& call) {
  const auto state =
      std::make_shared<const State>(toState(*call.session, call.argument(0, "step"), call.argument(1, "numbers")));
  cuda::Model& model = idleModel(call);
  return startCall(call, [&model, state] { model.setState(*state); });
}

napi_value getState(const Call& call) {
  cuda::Model& model = idleModel(call);
  return startCall(call, stateJob(*call.session, call.argument(0, "into"), [&model] { return model.getState(); }));
}

napi_value step(const Call& call) { return fromDouble(call.env, static_cast<double>(idleModel(call).step())); }

SharedImages toKeptImages(const Argument& argument, napi_env env) {
  return unwrap<cuda::DeviceImages>(env, imagesTag, argument.value(), argument.name().c_str(), "images of the card");
}

napi_value beginEpoch(const Call& call) {
  const SharedImages images = toKeptImages(call.argument(0, "images"), call.env);
  const auto epoch = toEpoch(*call.session, images->count(call.session->inputs()), call.argument(1, "order"),
                             call.argument(2, "epoch"), call.argument(3, "values"));
  cuda::Model& model = idleModel(call);
  return startCall(call, [=, &model] { model.beginEpoch(images, epoch->order, epoch->epoch, epoch->values()); });
}

napi_value beginBatch(const Call& call) {
  const auto batch =
      toBatch(*call.session, call.argument(0, "clean"), call.argument(1, "noisy"), call.argument(2, "values"));
  cuda::Model& model = idleModel(call);
  return startCall(call, [=, &model] { model.beginBatch(batch->clean, batch->noisy, batch->values()); });
}

napi_value remainingSteps(const Call& call) { return fromDouble(call.env, idleModel(call).remainingSteps()); }

napi_value losses(const Call& call) { return fromDoubles(call.env, encodeLosses(idleModel(call).losses())); }

// Returns a function that a job calls for the images: they are kept on the card, or copied there by the job.
std::function<SharedImages()> toImages(const Call& call, const Argument& argument, std::size_t* count) {
  const std::size_t inputs = call.session->inputs();
  if (isWrapped(call.env, imagesTag, argument.value())) {
    const SharedImages images = toKeptImages(argument, call.env);
    *count = images->count(inputs);
    return [images] { return images; };
  }
  const std::shared_ptr<cuda::Card> card = idleModel(call).kernel()->card();
  if (argument.holdsFloats()) {
    const auto floats = std::make_shared<const std::vector<float>>(argument.floats(inputs));
    *count = floats->size() / inputs;
    return [card, floats] { return std::make_shared<cuda::DeviceImages>(card, *floats); };
  }
  const auto bytes = std::make_shared<const std::vector<std::uint8_t>>(argument.bytes(inputs));
  *count = bytes->size() / inputs;
  return [card, bytes] { return std::make_shared<cuda::DeviceImages>(card, *bytes); };
}

// Starts a job that returns floats [count][width] for the images of the first argument.
napi_value startInference(const Call& call, std::size_t width,
                          void (cuda::Model::*infer)(const cuda::DeviceImages&, float*)) {
  std::size_t count;
  const auto images = toImages(call, call.argument(0, "images"), &count);
  cuda::Model& model = idleModel(call);
  const auto compute = [&model, infer, images](float* output) { (model.*infer)(*images(), output); };
  return startCall(call, floatsJob(call.env, count * width, compute));
}

napi_value encode(const Call& call) { return startInference(call, call.session->latent(), &cuda::Model::encode); }

napi_value inspect(const Call& call) {
  std::size_t count;
  const auto images = toImages(call, call.argument(0, "images"), &count);
  cuda::Model& model = idleModel(call);
  const auto rows = static_cast<std::size_t>(call.argument(1, "rows").integer(0, static_cast<std::int64_t>(count)));
  const bool withError = call.argument(2, "withError").boolean();
  const auto compute = [&model, images, rows, withError](float* embedding, float* linearOutputs) {
    return model.inspect(*images(), rows, withError, embedding, linearOutputs);
  };
  return startCall(call, inspectionJob(*call.session, count, rows, call.argument(3, "into"), compute));
}

napi_value reconstruct(const Call& call) {
  return startInference(call, call.session->inputs(), &cuda::Model::reconstruct);
}

napi_value meanSquaredError(const Call& call) {
  std::size_t count;
  const auto images = toImages(call, call.argument(0, "images"), &count);
  const std::optional<Noise> noise = toNoise(call.argument(1, "noise"));
  cuda::Model& model = idleModel(call);
  return startCall(call, numberJob([&model, images, noise] {
                     return model.meanSquaredError(*images(), noise ? &*noise : nullptr);
                   }));
}

// If a call is running, the memory is freed when it has ended.
napi_value dispose(const Call& call) {
  call.session->disposed = true;
  if (!call.session->busy) call.session->model.reset();
  return nullptr;
}

napi_value fromModel(napi_env env, const SharedModel& session) {
  return wrap(env, modelTag, session,
              {
                  methodProperty("setState", callback<setState>),
                  methodProperty("getState", callback<getState>),
                  methodProperty("step", callback<step>),
                  methodProperty("beginEpoch", callback<beginEpoch>),
                  methodProperty("beginBatch", callback<beginBatch>),
                  methodProperty("remainingSteps", callback<remainingSteps>),
                  methodProperty("losses", callback<losses>),
                  methodProperty("encode", callback<encode>),
                  methodProperty("inspect", callback<inspect>),
                  methodProperty("reconstruct", callback<reconstruct>),
                  methodProperty("meanSquaredError", callback<meanSquaredError>),
                  methodProperty("dispose", callback<dispose>),
              });
}

}  // namespace

napi_value startCreatingModel(napi_env env, std::shared_ptr<const cuda::Kernel> kernel, const TrainerSpec& spec) {
  const auto session = std::make_shared<ModelSession>(spec);
  JobSpec job;
  job.compute = [=] { session->model = std::make_unique<cuda::Model>(kernel, spec); };
  job.result = [session](napi_env env, const std::vector<napi_value>&) { return fromModel(env, session); };
  return startJob(env, std::move(job));
}

napi_value startKeepingImages(napi_env env, std::shared_ptr<cuda::Card> card, std::vector<std::uint8_t> bytes) {
  const auto images = std::make_shared<SharedImages>();
  JobSpec job;
  job.compute = [=, bytes = std::move(bytes)] { *images = std::make_shared<cuda::DeviceImages>(card, bytes); };
  job.result = [images](napi_env env, const std::vector<napi_value>&) { return wrap(env, imagesTag, *images, {}); };
  return startJob(env, std::move(job));
}

SharedModel toModel(napi_env env, const Argument& argument, const cuda::Kernel* kernel) {
  const SharedModel session = unwrap<ModelSession>(env, modelTag, argument.value(), argument.name().c_str(), "a model");
  session->requireIdle();
  if (session->model->kernel().get() != kernel) argument.refuseValue("a model of this kernel");
  return session;
}

cuda::Model* modelOf(const ModelSession& session) { return session.model.get(); }

napi_value startModelCall(napi_env env, const std::vector<SharedModel>& models, JobSpec job) {
  // A model that is given twice is busy at its second turn.
  std::size_t taken = 0;
  const auto giveBack = [&] {
    for (std::size_t i = 0; i < taken; ++i) models[i]->busy = false;
  };
  try {
    for (; taken < models.size(); ++taken) {
      models[taken]->requireIdle();
      models[taken]->busy = true;
    }
    job.finished = [models] {
      for (const SharedModel& each : models) {
        each->busy = false;
        if (each->disposed) each->model.reset();
      }
    };
    return startJob(env, std::move(job));
  } catch (...) {
    giveBack();
    throw;
  }
}

}  // namespace eigenae::addon
