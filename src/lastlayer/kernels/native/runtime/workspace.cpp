// The memory that kernels work in, the same for every instruction set.
#include "../api/kernels.hpp"

namespace lastlayer {

int64_t workspace_size(int64_t classes, int arrays) {
  // A strip of half types, a tile, and a block: arrays of whole vectors, of up to eight rows each where classes are
  // few.
  constexpr int64_t widest = 8, few = 64, tile = 1024 + widest;
  const int64_t block = arrays * (classes <= few ? classes * widest : (classes + widest - 1) / widest * widest);
  return half_strip_size(classes) + tile + block;
}

}  // namespace lastlayer
