// The memory that kernels work in, the same for every instruction set.
#include "kernels.hpp"

namespace lastlayer {

int64_t workspace_size(int64_t classes) {
  // Arrays of whole vectors, of up to eight rows each where classes are few: five for a block, two for a tile beside it.
  constexpr int64_t widest = 8, few = 64;
  const int64_t blocks = classes <= few ? 7 * classes * widest : 5 * ((classes + widest - 1) / widest * widest);
  return half_strip_size(classes) + blocks;
}

}  // namespace lastlayer
