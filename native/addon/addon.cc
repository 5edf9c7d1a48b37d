// The module that src/engines/native/binding.ts describes.
#include <node_api.h>

#include <exception>
#include <memory>

#include "../core/instruction_set.h"
#include "../core/peak.h"
#include "job.h"
#include "neighbour_search.h"
#include "trainer_object.h"
#include "values.h"

namespace eigenae::addon {

namespace {

napi_value createTrainer(napi_env env, napi_callback_info info) {
  try {
    napi_value spec;
    std::size_t count = 1;
    check(env, napi_get_cb_info(env, info, &count, &spec, nullptr, nullptr));
    return createTrainerObject(env, spec);
  } catch (const std::exception& exception) {
    throwInJavaScript(env, exception);
    return nullptr;
  }
}

napi_value findNeighbours(napi_env env, napi_callback_info info) {
  try {
    napi_value search;
    std::size_t count = 1;
    check(env, napi_get_cb_info(env, info, &count, &search, nullptr, nullptr));
    return startNeighbours(env, search);
  } catch (const std::exception& exception) {
    throwInJavaScript(env, exception);
    return nullptr;
  }
}

napi_value startPeak(napi_env env, napi_callback_info info) {
  try {
    napi_value value;
    std::size_t count = 1;
    check(env, napi_get_cb_info(env, info, &count, &value, nullptr, nullptr));
    const int threads = static_cast<int>(toDouble(env, value));
    const auto peak = std::make_shared<double>();
    JobSpec job;
    job.compute = [peak, threads] { *peak = measurePeak(threads); };
    job.result = [peak](napi_env env, const std::vector<napi_value>&) { return fromDouble(env, *peak); };
    return startJob(env, std::move(job));
  } catch (const std::exception& exception) {
    throwInJavaScript(env, exception);
    return nullptr;
  }
}

}  // namespace

}  // namespace eigenae::addon

NAPI_MODULE_INIT() {
  using namespace eigenae;
  try {
    napi_value sets, name, function;
    addon::check(env, napi_create_array(env, &sets));
    std::uint32_t count = 0;
    for (const InstructionSet& set : supportedInstructionSets()) {
      addon::check(env, napi_create_string_utf8(env, set.name, NAPI_AUTO_LENGTH, &name));
      addon::check(env, napi_set_element(env, sets, count++, name));
    }
    addon::setProperty(env, exports, "instructionSets", sets);
    addon::check(env, napi_create_function(env, "createTrainer", NAPI_AUTO_LENGTH, addon::createTrainer, nullptr,
                                           &function));
    addon::setProperty(env, exports, "createTrainer", function);
    addon::check(env, napi_create_function(env, "measurePeak", NAPI_AUTO_LENGTH, addon::startPeak, nullptr, &function));
    addon::setProperty(env, exports, "measurePeak", function);
    addon::check(env, napi_create_function(env, "findNeighbours", NAPI_AUTO_LENGTH, addon::findNeighbours, nullptr,
                                           &function));
    addon::setProperty(env, exports, "findNeighbours", function);
    return exports;
  } catch (const std::exception& exception) {
    addon::throwInJavaScript(env, exception);
    return nullptr;
  }
}
