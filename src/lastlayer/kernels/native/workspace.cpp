// The memory that kernels work in, the same for every instruction set.
#include "kernels.hpp"

namespace lastlayer {

int64_t workspace_size(int64_t classes) {
  // Five arrays of whole vectors: a vector of up to eight rows for each of few classes, or a row along its vectors.
  constexpr int64_t widest = 8, few = 64;
  return 5 * (classes <= few ? classes * widest : (classes + widest - 1) / widest * widest);
}

}  // namespace lastlayer
