// Chooses the instruction set, once per process.
#include <cstdlib>
#include <stdexcept>
#include <string>

#if defined(LASTLAYER_X86)
#include <cpuid.h>
#endif

#include "kernels.hpp"

namespace lastlayer {
namespace {

#if defined(LASTLAYER_X86)
// Conversions of float16. Not every compiler's __builtin_cpu_supports knows them.
bool has_f16c() {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

const InstructionSet& choose() {
  const char* given = std::getenv("LASTLAYER_ISA");
  const std::string name = given ? given : "";
#if defined(LASTLAYER_X86)
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  if (has_avx512 && (name.empty() || name == "avx512")) return avx512::kernels;
  if (has_avx2 && (name.empty() || name == "avx2")) return avx2::kernels;
#endif
  if (name.empty() || name == "baseline") return baseline::kernels;
  throw std::runtime_error(
      "LASTLAYER_ISA is '" + name +
      "', which this processor or build does not have; choose baseline, avx2 or avx512, or unset it.");
}

}  // namespace

const InstructionSet& instruction_set() {
  static const InstructionSet& chosen = choose();
  return chosen;
}

}  // namespace lastlayer
