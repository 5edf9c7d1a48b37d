// The module that src/engines/native/binding.ts describes.
#include <node_api.h>

#include <exception>

#include "../core/instruction_set.h"
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
    napi_throw_error(env, nullptr, exception.what());
    return nullptr;
  }
}

}  // namespace

}  // namespace eigenae::addon

NAPI_MODULE_INIT() {
  using namespace eigenae;
  try {
    napi_value name, function;
    addon::check(env, napi_create_string_utf8(env, instructionSet(), NAPI_AUTO_LENGTH, &name));
    addon::setProperty(env, exports, "instructionSet", name);
    addon::check(env, napi_create_function(env, "createTrainer", NAPI_AUTO_LENGTH, addon::createTrainer, nullptr,
                                           &function));
    addon::setProperty(env, exports, "createTrainer", function);
    return exports;
  } catch (const std::exception& exception) {
    napi_throw_error(env, nullptr, exception.what());
    return nullptr;
  }
}
