// Conversions between JavaScript values and C++. An argument is checked here, once a call: the core trusts what it is
// given. What is read from JavaScript is copied, so that no getter, no other thread and no transfer of a buffer can change
// it afterwards.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <vector>

namespace eigenae::addon {

// Throws unless status is napi_ok: what JavaScript has thrown meanwhile stays pending.
void check(napi_env env, napi_status status);

// The other way round: throws in JavaScript, unless something is pending there. An ArgumentError becomes a TypeError or a
// RangeError; an Error's code is ENOMEM if there was not enough memory, EAGAIN if the machine did not start a thread.
void throwInJavaScript(napi_env env, const std::exception& exception);

// Runs a callback of JavaScript's. What it throws is thrown there.
template <typename Body>
napi_value guarded(napi_env env, Body body) {
  try {
    return body();
  } catch (const std::exception& exception) {
    throwInJavaScript(env, exception);
    return nullptr;
  }
}

// A value from outside and the name that messages give it: "spec.widths[2]". Each method throws an ArgumentError if the
// value is of another type (a TypeError) or not within bounds (a RangeError).
class Argument {
 public:
  Argument(napi_env env, napi_value value, std::string name) : env_(env), value_(value), name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  bool isNull() const;  // or undefined

  Argument property(const std::string& key) const;
  std::vector<Argument> elements(std::uint32_t min, std::uint32_t max) const;
  std::vector<std::string> keys(std::uint32_t max) const;  // names of its properties

  bool boolean() const;
  double number() const;  // finite
  float singleNumber() const;  // finite as a float, too
  std::int64_t integer(std::int64_t min, std::int64_t max) const;
  std::string text() const;

  bool holdsFloats() const;  // in a Float32Array
  std::vector<std::uint32_t> words() const;
  // Whole rows of so many numbers, which is seen before they are copied.
  std::vector<std::uint8_t> bytes(std::size_t rowLength) const;
  std::vector<float> floats(std::size_t rowLength = 1) const;

  [[noreturn]] void refuseType(const std::string& expected) const;
  [[noreturn]] void refuseValue(const std::string& expected) const;

 private:
  template <typename Element>
  std::vector<Element> copy(napi_typedarray_type type, const char* typeName, std::size_t unit) const;

  napi_env env_;
  napi_value value_;
  std::string name_;
};

// Once an environment, before typed arrays are made.
void keepConstructors(napi_env env);
// These throw if there is not enough memory: napi_create_arraybuffer would end the process.
napi_value newFloat32Array(napi_env env, std::size_t length, float** data);

napi_value fromFloats(napi_env env, const std::vector<float>& values);
napi_value fromIntegers(napi_env env, const std::vector<std::int32_t>& values);
napi_value fromDouble(napi_env env, double value);
napi_value newObject(napi_env env);
void setProperty(napi_env env, napi_value object, const char* name, napi_value value);
void setFunction(napi_env env, napi_value object, const char* name, napi_callback function);

}  // namespace eigenae::addon
