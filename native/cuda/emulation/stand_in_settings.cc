#include "stand_in_settings.h"

#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace eigenae::emulation {

namespace {

[[noreturn]] void reject(const std::string& entry) {
  std::fprintf(stderr, "EIGENAE_STAND_IN: \"%s\" is not a setting\n", entry.c_str());
  std::_Exit(2);
}

// Splits "cuMemAlloc_v2:3:2".
Fault readFault(const std::string& value, const std::string& entry) {
  const std::size_t first = value.find(':'), second = value.find(':', first + 1);
  if (first == std::string::npos || second == std::string::npos) reject(entry);
  return {value.substr(0, first), std::atoi(value.c_str() + first + 1), std::atoi(value.c_str() + second + 1)};
}

void apply(Settings& settings, const std::string& entry) {
  const std::size_t equals = entry.find('=');
  if (equals == std::string::npos) reject(entry);
  const std::string key = entry.substr(0, equals), value = entry.substr(equals + 1);
  const int number = std::atoi(value.c_str());
  if (key == "driver") {
    settings.driver = number;
  } else if (key == "devices") {
    settings.devices = number;
  } else if (key == "capability") {
    if (std::sscanf(value.c_str(), "%d.%d", &settings.majorCapability, &settings.minorCapability) != 2) reject(entry);
  } else if (key == "shared") {
    settings.sharedBytes = number;
  } else if (key == "multiprocessors") {
    settings.multiprocessors = number;
  } else if (key == "resident") {
    settings.residentBlocks = number;
  } else if (key == "fail") {
    settings.faults.push_back(readFault(value, entry));
  } else if (key == "step") {
    if (std::sscanf(value.c_str(), "%lf:%u", &settings.stepMicroseconds, &settings.blocksOfModel) != 2) reject(entry);
  } else if (key == "hang") {
    settings.hangs.push_back(number);
  } else {
    reject(entry);
  }
}

Settings read() {
  Settings settings;
  const char* const text = std::getenv("EIGENAE_STAND_IN");
  std::istringstream entries(text != nullptr ? text : "");
  for (std::string entry; std::getline(entries, entry, ',');) {
    if (!entry.empty()) apply(settings, entry);
  }
  return settings;
}

}  // namespace

const Settings& settings() {
  static const Settings settings = read();
  return settings;
}

}  // namespace eigenae::emulation
