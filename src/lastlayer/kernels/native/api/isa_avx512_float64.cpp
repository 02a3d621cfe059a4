#define LASTLAYER_ISA avx512
#define LASTLAYER_FLOAT64
#include "entry.hpp"
