#include "cuda_door.h"

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "../core/layout.h"
#include "../cuda/host/card.h"
#include "../cuda/host/compiler.h"
#include "../cuda/host/launches.h"
#include "../cuda/host/model.h"
#include "../cuda/host/plan.h"
#include "codec_values.h"
#include "cuda_model.h"
#include "job.h"
#include "values.h"
#include "wrapped.h"

namespace eigenae::addon {

namespace {

constexpr std::size_t maximalPath = 1 << 12, maximalSource = 1 << 24, maximalPtx = 1 << 26;
constexpr std::uint32_t maximalFiles = 1 << 10, maximalOptions = 1 << 8;

constexpr napi_type_tag cardTag = {0x2f1d8a6be0c94d37, 0x8a5370e1c2b69f14};
constexpr napi_type_tag kernelTag = {0x7c02e95fd1864ab8, 0xb61f4d90a37e25c3};

using SharedCard = std::shared_ptr<cuda::Card>;

// A kernel as JavaScript holds it.
struct LoadedKernel {
  std::shared_ptr<const cuda::Kernel> kernel;
  cuda::Launches launches;

  LoadedKernel(const SharedCard& card, const std::string& ptx, const cuda::Shape& shape)
      : kernel(std::make_shared<cuda::Kernel>(card, ptx, shape)), launches(kernel) {}
};

using SharedKernel = std::shared_ptr<LoadedKernel>;

template <std::size_t count>
std::array<napi_value, count> argumentsOf(napi_env env, napi_callback_info info, napi_value* self = nullptr) {
  std::array<napi_value, count> arguments;
  std::size_t given = count;
  check(env, napi_get_cb_info(env, info, &given, arguments.data(), self, nullptr));
  return arguments;
}

cuda::Plan planOn(const cuda::Card& card, const TrainerSpec& spec) {
  return cuda::planFor(spec, card.facts().sharedBytesPerBlock, card.facts().multiprocessors);
}

// --- Kernels ---

napi_value createModel(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    napi_value self;
    const auto [specValue] = argumentsOf<1>(env, info, &self);
    const auto kernel = unwrap<LoadedKernel>(env, kernelTag, self, "this", "a kernel");
    const TrainerSpec spec = toSpec(env, specValue);
    if (planOn(*kernel->kernel->card(), spec).options() !=
        cuda::Plan{kernel->kernel->shape(), std::nullopt}.options()) {
      throw std::invalid_argument("the spec is of another shape than the kernel");
    }
    return startCreatingModel(env, kernel->kernel, spec);
  });
}

napi_value train(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    napi_value self;
    const auto [modelsValue, stepsValue] = argumentsOf<2>(env, info, &self);
    const auto kernel = unwrap<LoadedKernel>(env, kernelTag, self, "this", "a kernel");
    const auto most = static_cast<std::uint32_t>(kernel->kernel->modelsPerLaunch());
    const int steps = static_cast<int>(Argument(env, stepsValue, "steps").integer(1, 1 << 20));
    std::vector<SharedModel> models;
    JobSpec job;
    for (const Argument& each : Argument(env, modelsValue, "models").elements(1, most)) {
      models.push_back(toModel(env, each, kernel->kernel.get()));
      job.kept.push_back(each.value());
    }
    job.kept.push_back(self);
    const auto seconds = std::make_shared<double>();
    job.compute = [kernel, models, steps, seconds] {
      std::vector<cuda::Model*> trained;
      for (const SharedModel& each : models) trained.push_back(modelOf(*each));
      const auto begin = std::chrono::steady_clock::now();
      kernel->launches.train(trained, steps);
      *seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    job.stop = [kernel] { kernel->kernel->card()->abandon(); };
    job.result = [seconds](napi_env env, const std::vector<napi_value>&) { return fromDouble(env, *seconds); };
    return startModelCall(env, models, std::move(job));
  });
}

napi_value fromKernel(napi_env env, const SharedKernel& kernel) {
  const napi_value object = wrap(env, kernelTag, kernel,
                                 {
                                     methodProperty("createModel", createModel),
                                     methodProperty("train", train),
                                 });
  setProperty(env, object, "modelsPerLaunch", fromDouble(env, kernel->kernel->modelsPerLaunch()));
  return object;
}

// --- Cards ---

napi_value loadKernel(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    napi_value self;
    const auto [ptxValue, specValue] = argumentsOf<2>(env, info, &self);
    const auto card = unwrap<cuda::Card>(env, cardTag, self, "this", "a card");
    const auto ptx = std::make_shared<const std::string>(Argument(env, ptxValue, "ptx").text(maximalPtx));
    const cuda::Plan plan = planOn(*card, toSpec(env, specValue));
    if (plan.refusal) throw std::invalid_argument(*plan.refusal + " does not fit");
    const auto kernel = std::make_shared<SharedKernel>();
    JobSpec job;
    job.compute = [=] { *kernel = std::make_shared<LoadedKernel>(card, *ptx, plan.shape); };
    job.result = [kernel](napi_env env, const std::vector<napi_value>&) { return fromKernel(env, *kernel); };
    return startJob(env, std::move(job));
  });
}

napi_value keepImages(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    napi_value self;
    const auto [imagesValue] = argumentsOf<1>(env, info, &self);
    const auto card = unwrap<cuda::Card>(env, cardTag, self, "this", "a card");
    return startKeepingImages(env, card, Argument(env, imagesValue, "images").bytes(1));
  });
}

napi_value fromFacts(napi_env env, const cuda::CardFacts& facts) {
  const napi_value object = newObject(env);
  setProperty(env, object, "name", fromText(env, facts.name));
  setProperty(env, object, "driverVersion", fromDouble(env, facts.driverVersion));
  setProperty(env, object, "capability", fromDouble(env, facts.capability));
  setProperty(env, object, "multiprocessors", fromDouble(env, facts.multiprocessors));
  setProperty(env, object, "sharedBytesPerBlock", fromDouble(env, facts.sharedBytesPerBlock));
  setProperty(env, object, "cooperativeLaunch", fromBoolean(env, facts.cooperativeLaunch));
  return object;
}

napi_value fromCard(napi_env env, const SharedCard& card) {
  const napi_value object = wrap(env, cardTag, card,
                                 {
                                     methodProperty("loadKernel", loadKernel),
                                     methodProperty("keepImages", keepImages),
                                 });
  setProperty(env, object, "facts", fromFacts(env, card->facts()));
  return object;
}

// --- The door ---

napi_value openCard(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Argument argument(env, argumentsOf<1>(env, info)[0], "options");
    cuda::CardOptions options;
    options.library = argument.property("library").text(maximalPath);
    if (const Argument uuid = argument.property("uuid"); !uuid.isNull()) options.uuid = uuid.text();
    options.launchLimit = std::chrono::milliseconds(argument.property("launchLimitMilliseconds").integer(1, 1 << 30));
    const auto card = std::make_shared<SharedCard>();
    JobSpec job;
    job.compute = [card, options] { *card = std::make_shared<cuda::Card>(options); };
    job.result = [card](napi_env env, const std::vector<napi_value>&) { return fromCard(env, *card); };
    return startJob(env, std::move(job));
  });
}

napi_value planKernel(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const auto [specValue, sharedValue, multiprocessorsValue] = argumentsOf<3>(env, info);
    const TrainerSpec spec = toSpec(env, specValue);
    const auto shared = static_cast<int>(Argument(env, sharedValue, "sharedBytes").integer(0, 1 << 30));
    const Argument multiprocessors(env, multiprocessorsValue, "multiprocessors");
    const cuda::Plan plan = cuda::planFor(spec, shared, static_cast<int>(multiprocessors.integer(1, 1 << 30)));
    const napi_value object = newObject(env);
    if (plan.refusal) {
      setProperty(env, object, "refusal", fromText(env, *plan.refusal));
      return object;
    }
    setProperty(env, object, "refusal", fromNull(env));
    setProperty(env, object, "options", fromTexts(env, plan.options()));
    setProperty(env, object, "blocks", fromDouble(env, plan.shape.blocks));
    setProperty(env, object, "sharedBytes", fromDouble(env, cuda::sharedBytes(plan.shape)));
    return object;
  });
}

cuda::SourceFile toSourceFile(const Argument& file) {
  return {file.property("name").text(maximalPath), file.property("text").text(maximalSource)};
}

napi_value compileKernel(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Argument argument(env, argumentsOf<1>(env, info)[0], "compilation");
    const std::string library = argument.property("library").text(maximalPath);
    const auto compilation = std::make_shared<cuda::Compilation>();
    compilation->source = toSourceFile(argument.property("source"));
    for (const Argument& header : argument.property("headers").elements(0, maximalFiles)) {
      compilation->headers.push_back(toSourceFile(header));
    }
    for (const Argument& option : argument.property("options").elements(0, maximalOptions)) {
      compilation->options.push_back(option.text(maximalPath));
    }
    const auto ptx = std::make_shared<std::string>();
    JobSpec job;
    job.compute = [=] { *ptx = cuda::compileToPtx(library, *compilation); };
    job.result = [ptx](napi_env env, const std::vector<napi_value>&) { return fromText(env, *ptx); };
    return startJob(env, std::move(job));
  });
}

}  // namespace

napi_value createCudaDoor(napi_env env) {
  const napi_value door = newObject(env);
  setFunction(env, door, "openCard", openCard);
  setFunction(env, door, "planKernel", planKernel);
  setFunction(env, door, "compileKernel", compileKernel);
  return door;
}

}  // namespace eigenae::addon
