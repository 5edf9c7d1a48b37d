#include "values.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>

#include "../cuda/host/cuda_error.h"

namespace eigenae::addon {

namespace {

class ArgumentError : public std::runtime_error {
 public:
  enum class Kind { type, range };

  ArgumentError(Kind kind, const std::string& message) : std::runtime_error(message), kind(kind) {}

  const Kind kind;
};

struct TypedArray {
  napi_typedarray_type type = napi_int8_array;  // unchanged if Node-API does not know the type
  std::size_t length = 0;                       // in elements
  void* data = nullptr;
  bool detached = false;  // its buffer has been transferred
  bool shared = false;    // its buffer is a SharedArrayBuffer
};

bool isTypedArray(napi_env env, napi_value value) {
  bool is = false;
  check(env, napi_is_typedarray(env, value, &is));
  return is;
}

TypedArray typedArray(napi_env env, napi_value value) {
  TypedArray array;
  napi_value buffer;
  check(env, napi_get_typedarray_info(env, value, &array.type, &array.length, &array.data, &buffer, nullptr));
  check(env, napi_is_detached_arraybuffer(env, buffer, &array.detached));
  bool transferable;
  check(env, napi_is_arraybuffer(env, buffer, &transferable));
  array.shared = !transferable;
  return array;
}

napi_valuetype typeOf(napi_env env, napi_value value) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  return type;
}

std::string quantity(std::int64_t min, std::int64_t max) { return std::to_string(min) + " to " + std::to_string(max); }

}  // namespace

void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  const bool described = info != nullptr && info->error_message != nullptr;
  throw std::runtime_error(described ? info->error_message : "a Node-API call failed");
}

const char* codeOf(const std::exception& exception) {
  if (dynamic_cast<const std::bad_alloc*>(&exception) != nullptr) return "ENOMEM";
  if (dynamic_cast<const std::system_error*>(&exception) != nullptr) return "EAGAIN";
  const auto* failure = dynamic_cast<const cuda::CudaError*>(&exception);
  return failure == nullptr ? nullptr : failure->code();
}

void throwInJavaScript(napi_env env, const std::exception& exception) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) return;
  if (const auto* wrong = dynamic_cast<const ArgumentError*>(&exception)) {
    const auto thrower = wrong->kind == ArgumentError::Kind::type ? napi_throw_type_error : napi_throw_range_error;
    thrower(env, nullptr, exception.what());
    return;
  }
  napi_throw_error(env, codeOf(exception), exception.what());
}

void Argument::refuseType(const std::string& expected) const {
  throw ArgumentError(ArgumentError::Kind::type, name_ + " must be " + expected);
}

void Argument::refuseValue(const std::string& expected) const {
  throw ArgumentError(ArgumentError::Kind::range, name_ + " must be " + expected);
}

bool Argument::isNull() const {
  const napi_valuetype type = typeOf(env_, value_);
  return type == napi_null || type == napi_undefined;
}

Argument Argument::property(const std::string& key) const {
  if (typeOf(env_, value_) != napi_object) refuseType("an object");
  napi_value value;
  check(env_, napi_get_named_property(env_, value_, key.c_str(), &value));
  return {env_, value, name_ + "." + key};
}

std::vector<Argument> Argument::elements(std::uint32_t min, std::uint32_t max) const {
  bool is = false;
  check(env_, napi_is_array(env_, value_, &is));
  if (!is) refuseType("an array");
  std::uint32_t length;
  check(env_, napi_get_array_length(env_, value_, &length));
  if (length < min || length > max) refuseValue("an array of " + quantity(min, max) + " elements");
  std::vector<Argument> found;
  for (std::uint32_t i = 0; i < length; ++i) {
    napi_value value;
    check(env_, napi_get_element(env_, value_, i, &value));
    found.emplace_back(env_, value, name_ + "[" + std::to_string(i) + "]");
  }
  return found;
}

bool Argument::boolean() const {
  if (typeOf(env_, value_) != napi_boolean) refuseType("a boolean");
  bool truth;
  check(env_, napi_get_value_bool(env_, value_, &truth));
  return truth;
}

double Argument::number() const {
  if (typeOf(env_, value_) != napi_number) refuseType("a number");
  double number;
  check(env_, napi_get_value_double(env_, value_, &number));
  if (!std::isfinite(number)) refuseValue("a finite number");
  return number;
}

std::int64_t Argument::integer(std::int64_t min, std::int64_t max) const {
  const double value = number();
  if (value < static_cast<double>(min) || value > static_cast<double>(max) || value != std::floor(value)) {
    refuseValue("an integer from " + quantity(min, max));
  }
  return static_cast<std::int64_t>(value);
}

std::string Argument::text(std::size_t maximalBytes) const {
  if (typeOf(env_, value_) != napi_string) refuseType("a string");
  std::size_t length;
  check(env_, napi_get_value_string_utf8(env_, value_, nullptr, 0, &length));
  if (length > maximalBytes) refuseValue("a string of at most " + std::to_string(maximalBytes) + " bytes");
  std::string text(length, '\0');
  check(env_, napi_get_value_string_utf8(env_, value_, &text[0], length + 1, &length));
  return text;
}

bool Argument::holdsFloats() const {
  return isTypedArray(env_, value_) && typedArray(env_, value_).type == napi_float32_array;
}

bool Argument::isShared() const { return isTypedArray(env_, value_) && typedArray(env_, value_).shared; }

const void* Argument::elements(napi_typedarray_type type, const char* typeName, std::size_t unit,
                               std::size_t* length) const {
  if (!isTypedArray(env_, value_)) refuseType(typeName);
  const TypedArray array = typedArray(env_, value_);
  if (array.type != type) refuseType(typeName);
  if (array.detached) refuseType("an array whose buffer is not detached");
  if (array.length % unit != 0) refuseValue("rows of " + std::to_string(unit) + " numbers");
  *length = array.length;
  return array.data;
}

template <typename Element>
std::vector<Element> Argument::copy(napi_typedarray_type type, const char* typeName, std::size_t unit) const {
  std::size_t length;
  const auto* from = static_cast<const Element*>(elements(type, typeName, unit, &length));
  return length == 0 ? std::vector<Element>() : std::vector<Element>(from, from + length);
}

std::vector<std::uint32_t> Argument::words() const {
  return copy<std::uint32_t>(napi_uint32_array, "a Uint32Array", 1);
}
std::vector<std::uint8_t> Argument::bytes(std::size_t rowLength) const {
  return copy<std::uint8_t>(napi_uint8_array, "a Uint8Array", rowLength);
}
const std::uint8_t* Argument::sharedBytes(std::size_t rowLength, std::size_t* length) const {
  return static_cast<const std::uint8_t*>(elements(napi_uint8_array, "a Uint8Array", rowLength, length));
}
float* Argument::sharedFloats(std::size_t rowLength, std::size_t* length) const {
  const void* floats = elements(napi_float32_array, "a Float32Array", rowLength, length);
  if (!isShared()) refuseType("on shared memory");
  return static_cast<float*>(const_cast<void*>(floats));
}
std::vector<float> Argument::floats(std::size_t rowLength) const {
  return copy<float>(napi_float32_array, "a Float32Array", rowLength);
}
std::vector<double> Argument::doublesOrNaN(std::size_t rowLength) const {
  return copy<double>(napi_float64_array, "a Float64Array", rowLength);
}
std::vector<double> Argument::doubles() const {
  std::vector<double> values = doublesOrNaN(1);
  for (const double value : values) {
    if (!std::isfinite(value)) refuseValue("of finite numbers");
  }
  return values;
}
std::vector<double> Argument::doubles(std::size_t length) const {
  std::vector<double> values = doubles();
  if (values.size() != length) refuseValue("an array of " + std::to_string(length) + " numbers");
  return values;
}

void keepConstructors(napi_env env) {
  napi_value global;
  check(env, napi_get_global(env, &global));
  const napi_value kept = newObject(env);
  for (const char* name : {"Float32Array", "Float64Array", "Int32Array"}) {
    napi_value constructor;
    check(env, napi_get_named_property(env, global, name, &constructor));
    setProperty(env, kept, name, constructor);
  }
  auto reference = std::make_unique<napi_ref>();
  check(env, napi_create_reference(env, kept, 1, reference.get()));
  const auto destroy = [](napi_env, void* data, void*) { delete static_cast<napi_ref*>(data); };
  check(env, napi_set_instance_data(env, reference.release(), destroy, nullptr));
}

namespace {

void* newTypedArray(napi_env env, const char* name, napi_typedarray_type type, std::size_t length, napi_value* array) {
  void* reference;
  check(env, napi_get_instance_data(env, &reference));
  napi_value kept, constructor, count;
  check(env, napi_get_reference_value(env, *static_cast<napi_ref*>(reference), &kept));
  check(env, napi_get_named_property(env, kept, name, &constructor));
  check(env, napi_create_double(env, static_cast<double>(length), &count));
  check(env, napi_new_instance(env, constructor, 1, &count, array));
  const TypedArray made = typedArray(env, *array);
  if (made.type != type || made.length != length) throw std::runtime_error(std::string(name) + " was replaced");
  return made.data;
}

}  // namespace

napi_value newFloat32Array(napi_env env, std::size_t length, float** data) {
  napi_value array;
  *data = static_cast<float*>(newTypedArray(env, "Float32Array", napi_float32_array, length, &array));
  return array;
}

napi_value fromIntegers(napi_env env, const std::vector<std::int32_t>& values) {
  napi_value array;
  void* data = newTypedArray(env, "Int32Array", napi_int32_array, values.size(), &array);
  if (!values.empty()) std::memcpy(data, values.data(), values.size() * sizeof(std::int32_t));
  return array;
}

napi_value fromDoubles(napi_env env, const std::vector<double>& values) {
  napi_value array;
  void* data = newTypedArray(env, "Float64Array", napi_float64_array, values.size(), &array);
  if (!values.empty()) std::memcpy(data, values.data(), values.size() * sizeof(double));
  return array;
}

napi_value fromDouble(napi_env env, double value) {
  napi_value number;
  check(env, napi_create_double(env, value, &number));
  return number;
}

napi_value fromBoolean(napi_env env, bool value) {
  napi_value boolean;
  check(env, napi_get_boolean(env, value, &boolean));
  return boolean;
}

napi_value fromText(napi_env env, const std::string& text) {
  napi_value value;
  check(env, napi_create_string_utf8(env, text.data(), text.size(), &value));
  return value;
}

napi_value fromTexts(napi_env env, const std::vector<std::string>& texts) {
  napi_value array;
  check(env, napi_create_array_with_length(env, texts.size(), &array));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    check(env, napi_set_element(env, array, static_cast<std::uint32_t>(i), fromText(env, texts[i])));
  }
  return array;
}

napi_value fromNull(napi_env env) {
  napi_value null;
  check(env, napi_get_null(env, &null));
  return null;
}

napi_value undefined(napi_env env) {
  napi_value value;
  check(env, napi_get_undefined(env, &value));
  return value;
}

napi_value newObject(napi_env env) {
  napi_value object;
  check(env, napi_create_object(env, &object));
  return object;
}

void setProperty(napi_env env, napi_value object, const char* name, napi_value value) {
  check(env, napi_set_named_property(env, object, name, value));
}

void setFunction(napi_env env, napi_value object, const char* name, napi_callback function) {
  napi_value value;
  check(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value));
  setProperty(env, object, name, value);
}

}  // namespace eigenae::addon
