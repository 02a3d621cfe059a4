#define LASTLAYER_ISA avx512
#define LASTLAYER_ISA_NAME "avx512"
#include "entry.hpp"
