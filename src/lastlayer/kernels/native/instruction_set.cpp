// The choice of an instruction set, once a process.
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "kernels.hpp"

namespace lastlayer {
namespace {

const InstructionSet& choose() {
  const char* given = std::getenv("LASTLAYER_ISA");
  const std::string name = given ? given : "";
#if defined(LASTLAYER_X86)
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  if (has_avx512 && (name.empty() || name == "avx512")) return avx512::kernels;
  if (has_avx2 && (name.empty() || name == "avx2")) return avx2::kernels;
#endif
  if (name.empty() || name == "baseline") return baseline::kernels;
  throw std::runtime_error("LASTLAYER_ISA is '" + name +
                           "', which this processor or build has not; choose baseline, avx2 or avx512, or unset it.");
}

}  // namespace

const InstructionSet& instruction_set() {
  static const InstructionSet& chosen = choose();
  return chosen;
}

}  // namespace lastlayer
